"""The daily backup: made in a process of its own, by one of ours; older ones are dropped."""

from __future__ import annotations

import fcntl
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from bot.trial import run_verb
from services import backups
from settings import Settings

log = logging.getLogger(__name__)

PATIENCE = 4 * 3600.0
"""Seconds that a backup may take."""
LOOK = 60.0
"""Seconds between two looks whether it is time."""
AGAIN = timedelta(minutes=15)
"""How long after a failure the next try is made."""

Make = Callable[[Path], str | None]
"""Writes a backup; gives None, or what went wrong."""


class Safekeeping:
    """One call of `step` does what is due; the caller calls it every second, in its own thread.

    What was done is told by the files alone, so a restart repeats nothing and leaves nothing out.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        leads: Callable[[], bool],
        clock: Callable[[], datetime],
        make: Make,
    ) -> None:
        self._settings = settings
        self._leads = leads
        self._clock = clock
        self._make = make
        self._next_look = float("-inf")
        self._not_before = datetime.min  # noqa: DTZ901  naive, as in the tables

    def step(self, at: float) -> None:
        """Make a backup when the last one is older than the last due time; `at` is monotonic."""
        folder = self._settings.backup_folder
        if folder is None or at < self._next_look:
            return
        self._next_look = at + LOOK
        if self._leads() and self._is_due(folder):
            try:
                self._take_turn(folder)
            except OSError as error:
                self._fail(f"BACKUP_FOLDER cannot be used: {error}")

    def _take_turn(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with alone(folder) as mine:
            if mine and self._is_due(folder):
                self._keep(folder)

    def _is_due(self, folder: Path) -> bool:
        now = self._clock()
        newest = backups.newest(folder)
        due = backups.due(now, self._settings.backup_hour)
        return now >= self._not_before and (newest is None or newest < due)

    def _keep(self, folder: Path) -> None:
        for left in folder.glob(backups.PARTIAL):  # by a process that was killed
            left.unlink(missing_ok=True)
        path = folder / backups.name_of(self._clock())
        if (said := self._make(path)) is not None:
            return self._fail(said)
        log.info("backed up to %s", path)
        there = backups.found(folder)
        daily, weekly = self._settings.backup_daily, self._settings.backup_weekly
        for moment in there.keys() - backups.kept(there, daily=daily, weekly=weekly):
            there[moment].unlink(missing_ok=True)

    def _fail(self, said: str) -> None:
        self._not_before = self._clock() + AGAIN
        log.error("no backup was made, the next try is in %s: %s", AGAIN, said)


def make(stop: threading.Event) -> Make:
    """Let `python -m bot backup` write it: it has a memory and a lock on Python of its own."""
    return lambda path: run_verb("backup", str(path), stop=stop, patience=PATIENCE)


@contextmanager
def alone(folder: Path) -> Iterator[bool]:
    """Whether nobody else backs up to this folder; then nobody does before the end."""
    with (folder / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
