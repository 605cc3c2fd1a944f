"""The gauges: what is looked up now and then for the metrics, not counted as it happens."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from prometheus_client import Gauge

from bot.metrics import Metrics
from database import db
from services import backups
from settings import Settings

DATA = Path("data")
LATE = 15.0
"""Seconds after which an age is no longer what it was: nobody could look in the meantime."""


class Age:
    """An age that is looked up now and then, and grows while that is not possible.

    What nobody could look at may be as old as before and the time since: too much rather than 0.
    """

    def __init__(self, gauge: Gauge, timer: Callable[[], float]) -> None:
        self._timer = timer
        self._seen = (0.0, timer())
        gauge.set_function(self.read)

    def set(self, seconds: float) -> None:
        """Note what was found now."""
        self._seen = (seconds, self._timer())

    def read(self) -> float:
        """What a scrape gets."""
        seconds, at = self._seen
        since = self._timer() - at
        return seconds + since if since > LATE else seconds


def measure(metrics: Metrics, settings: Settings) -> None:
    """Set the gauges of the disk and the backups, which need no database."""
    metrics.disk_free.set(free_ratio(place(settings)))
    if settings.backup_folder and (newest := backups.newest(settings.backup_folder)):
        metrics.backed_up(newest.replace(tzinfo=UTC).timestamp())


def oldest_message(at: datetime) -> float:
    """The age in seconds of the team's message that waits longest to be sent; 0 for none."""
    row = db.execute_sql(
        "SELECT created_at FROM messages WHERE state IN ('queued', 'sending')"
        " AND state = 'queued' ORDER BY id LIMIT 1"
    ).fetchone()
    if row is None:
        return 0.0
    since = datetime.fromisoformat(row[0]) if isinstance(row[0], str) else row[0]
    return max(0.0, (at - since).total_seconds())


def place(settings: Settings) -> Path:
    """Where the data lies: the folder of an SQLite database, else data/ or where we are."""
    scheme, _, path = settings.database_url.reveal().partition(":///")
    if scheme == "sqlite":
        return Path(path).parent
    return DATA if DATA.is_dir() else Path()


def free_ratio(path: Path) -> float:
    """The share of a path's disk that is free."""
    usage = shutil.disk_usage(path)
    return usage.free / (usage.used + usage.free)
