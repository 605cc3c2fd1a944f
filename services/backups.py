"""The backups in a folder: their names, which of them are kept, and which is the newest."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

NAME = re.compile(r"steadygram-(\d{4}-\d\d-\d\dT\d{6})Z\.backup")
TIME = "%Y-%m-%dT%H%M%S"
LATE = timedelta(hours=26)
"""The age of the last backup at which one was left out."""
PARTIAL = ".*.partial"
"""What a backup is called while it is written."""


def name_of(at: datetime) -> str:
    """What a backup of a moment (UTC) is called."""
    return f"steadygram-{at.strftime(TIME)}Z.backup"


def found(folder: Path) -> dict[datetime, Path]:
    """The backups in a folder by their moments (UTC), oldest first; other files are none."""
    if not folder.is_dir():
        return {}
    dated = {at: path for path in folder.iterdir() if (at := _moment(path.name))}
    return dict(sorted(dated.items()))


def newest(folder: Path) -> datetime | None:
    """The moment of the newest backup; None when there is none."""
    return max(found(folder), default=None)


def due(at: datetime, hour: int) -> datetime:
    """The last moment up to `at` by which there should be a backup: today, or yesterday."""
    today = at.replace(hour=hour, minute=0, second=0, microsecond=0)
    return today if today <= at else today - timedelta(days=1)


def kept(moments: Iterable[datetime], *, daily: int, weekly: int) -> set[datetime]:
    """Which backups stay: the last one of each of the newest days, and of the newest weeks.

    Only days and weeks that have one count, so that a pause deletes nothing.
    """
    by_day, by_week = dict[object, datetime](), dict[object, datetime]()
    for moment in sorted(moments):
        by_day[moment.date()] = moment
        by_week[moment.isocalendar()[:2]] = moment
    return {*_last(by_day, daily), *_last(by_week, weekly)}


def _last(chosen: dict[object, datetime], count: int) -> list[datetime]:
    return sorted(chosen.values(), reverse=True)[:count]


def _moment(name: str) -> datetime | None:
    if match := NAME.fullmatch(name):
        try:
            return datetime.strptime(match[1], TIME)  # noqa: DTZ007  UTC and naive, as in the tables
        except ValueError:
            return None
    return None
