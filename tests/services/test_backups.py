"""Which backups a folder has, which of them stay, and by when there should be one."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services import backups

AT = datetime(2026, 7, 31, 3, 0, 5)  # noqa: DTZ001  UTC and naive, as in the tables
MOMENTS = st.lists(
    st.datetimes(datetime(2024, 1, 1), datetime(2026, 12, 31)),  # noqa: DTZ001
    max_size=60,
)


def days(*numbers: float) -> list[datetime]:
    """Moments so many days before AT."""
    return [AT - timedelta(days=number) for number in numbers]


def test_a_name_tells_its_moment(tmp_path: Path) -> None:
    """What is written by one function is found by the other, oldest first; other files are none."""
    names = [backups.name_of(at) for at in days(0, 2, 1)]
    others = (".lock", f".{names[0]}.partial", "notes.txt", names[0] + ".old")
    odd = "steadygram-2026-13-41T000000Z.backup"
    for name in (*names, *others, odd):
        (tmp_path / name).touch()
    assert names[0] == "steadygram-2026-07-31T030005Z.backup"
    assert list(backups.found(tmp_path)) == days(2, 1, 0)
    assert backups.found(tmp_path)[AT] == tmp_path / names[0]
    assert backups.newest(tmp_path) == AT


def test_a_folder_that_is_not_there_has_none(tmp_path: Path) -> None:
    """It is made with the first backup."""
    assert backups.found(tmp_path / "none") == {}
    assert backups.newest(tmp_path / "none") is None


@pytest.mark.parametrize(
    ("hour", "expected"),
    [(3, "2026-07-31 03:00"), (2, "2026-07-31 02:00"), (4, "2026-07-30 04:00")],
)
def test_a_backup_is_due_once_a_day(hour: int, expected: str) -> None:
    """At the hour of today, or before it at that of yesterday."""
    assert backups.due(AT, hour) == datetime.fromisoformat(expected)


def test_days_and_weeks_are_kept() -> None:
    """Of 60 daily ones: the last seven, and the last one of each of the last four weeks."""
    stay = backups.kept(days(*range(60)), daily=7, weekly=4)
    assert sorted(stay) == sorted(days(*range(7), 12, 19))  # weeks end on the 31st (a Friday: it
    # runs still), the 26th (in the seven days), the 19th and the 12th


def test_of_a_day_the_last_one_stays() -> None:
    """Several of one day count as one."""
    assert backups.kept(days(0, 0.05, 0.1, 1), daily=2, weekly=0) == set(days(0, 1))


def test_a_pause_deletes_nothing() -> None:
    """Days without a backup do not count: after a year the old ones are still there."""
    old = days(400, 401, 402)
    assert backups.kept([*old, AT], daily=4, weekly=0) == {*old, AT}


@given(moments=MOMENTS, daily=st.integers(1, 10), weekly=st.integers(0, 10))
def test_what_stays_is_bounded_and_has_the_newest(
    moments: list[datetime], daily: int, weekly: int
) -> None:
    """Never more than days and weeks together, never none, and a second round drops nothing."""
    stay = backups.kept(moments, daily=daily, weekly=weekly)
    assert stay <= set(moments)
    assert len(stay) <= daily + weekly
    assert not moments or max(moments) in stay
    assert backups.kept(stay, daily=daily, weekly=weekly) == stay
