"""The daily backup: once a day, by one process, whatever was restarted; older ones are dropped."""

from __future__ import annotations

import fcntl
import logging
import stat
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from bot.safekeeping import AGAIN, LOOK, Safekeeping
from services import backups
from settings import Settings

START = datetime(2026, 7, 31, 10, 0)  # noqa: DTZ001  UTC and naive, as in the tables


class Days:
    """A process whose backups are empty files, and a clock that is moved."""

    def __init__(self, folder: Path, **settings: int) -> None:
        self.folder = folder
        self.at = START
        self.made: list[Path] = []
        self.fault: str | None = None
        self.leads = True
        self._settings = Settings(backup_folder=folder, **settings)  # type: ignore[arg-type]
        self.begin()

    def begin(self) -> None:
        """Start the process, again."""
        self.job = Safekeeping(
            self._settings, leads=lambda: self.leads, clock=lambda: self.at, make=self._make
        )

    def pass_(self, **time: float) -> None:
        """Let time pass, and the process look."""
        self.at += timedelta(**time)
        self.job.step((self.at - START).total_seconds())

    def _make(self, path: Path) -> str | None:
        if self.fault is None:
            path.touch()
            self.made.append(path)
        return self.fault


@pytest.fixture
def days(tmp_path: Path) -> Days:
    """Nothing was backed up yet, and it is ten o'clock."""
    return Days(tmp_path / "backups")


def test_the_first_one_is_made_at_once(days: Days) -> None:
    """Who sets the folder has a backup a minute later, in a folder for the owner alone."""
    days.pass_(minutes=1)
    assert [path.name for path in days.made] == ["steadygram-2026-07-31T100100Z.backup"]
    assert stat.S_IMODE(days.folder.stat().st_mode) == 0o700


def test_one_is_made_a_day(days: Days) -> None:
    """At the hour, and not again before the next day's, however often it is looked."""
    for _ in range(3 * 24 * 4):
        days.pass_(minutes=15)
    assert [backup.name[21:28] for backup in days.made] == ["T101500", *["T030000"] * 3]


def test_a_restart_repeats_nothing(days: Days) -> None:
    """The files tell what was done."""
    for _ in range(5):
        days.begin()
        days.pass_(minutes=5)
    assert len(days.made) == 1


def test_who_was_down_at_the_hour_catches_up(days: Days) -> None:
    """Down from noon to noon: the backup of three o'clock is made after the start."""
    days.pass_(minutes=1)
    days.begin()
    days.pass_(hours=26)
    assert len(days.made) == 2


def test_a_standby_makes_none(days: Days) -> None:
    """Until it acts for a bot."""
    days.leads = False
    days.pass_(minutes=5)
    assert days.made == [] and not days.folder.exists()
    days.leads = True
    days.pass_(minutes=5)
    assert len(days.made) == 1


def test_without_a_folder_nothing_is_made(tmp_path: Path) -> None:
    """The default: off."""
    job = Safekeeping(Settings(), leads=lambda: True, clock=lambda: START, make=fail_test)
    job.step(0.0)


def fail_test(path: Path) -> str | None:
    pytest.fail(f"{path} was made")


def test_of_two_processes_one_makes_it(days: Days) -> None:
    """Who does not get the lock makes none, and finds the file at the next look."""
    days.folder.mkdir()
    with (days.folder / ".lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        days.pass_(minutes=5)
        assert days.made == []
    days.pass_(minutes=5)
    assert len(days.made) == 1


def test_a_failure_is_told_and_tried_again(days: Days, caplog: pytest.LogCaptureFixture) -> None:
    """Not every minute: a full disk is not mended by trying. Nothing is dropped meanwhile."""
    days.pass_(minutes=1)
    days.fault = "no space left"
    days.pass_(days=1)
    days.pass_(seconds=LOOK)
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert len(told) == 1 and "no space left" in told[0]
    days.fault = None
    days.pass_(seconds=AGAIN.total_seconds())
    assert len(days.made) == 2 and len(backups.found(days.folder)) == 2


def test_a_folder_that_cannot_be_used_is_a_failure_as_well(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told in the same sentence, and tried again no sooner."""
    (tmp_path / "file").touch()
    days = Days(tmp_path / "file" / "backups")
    days.pass_(minutes=1)
    days.pass_(minutes=2)
    assert caplog.text.count("no backup was made, the next try is in 0:15:00") == 1
    assert "BACKUP_FOLDER cannot be used" in caplog.text
    days.pass_(minutes=15)
    assert caplog.text.count("no backup was made") == 2


def test_old_ones_are_dropped(tmp_path: Path) -> None:
    """The last two days and weeks stay; what is no backup of ours is left alone."""
    days = Days(tmp_path, backup_daily=2, backup_weekly=2)
    (tmp_path / "notes.txt").touch()
    (tmp_path / ".steadygram-2026-07-30T030000Z.backup.partial").touch()
    for _ in range(20):
        days.pass_(days=1)
    moments = [START + timedelta(days=number) for number in (20, 19, 16)]  # the 16th is a Sunday
    assert list(backups.found(tmp_path)) == sorted(moments)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {*map(backups.name_of, moments), "notes.txt", ".lock"}
