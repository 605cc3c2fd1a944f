"""Run one process of a city: the bot as it is, or with a guarantee switched off, or in odd ways."""

from __future__ import annotations

import logging
import os
import resource
import sys
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, tzinfo
from functools import partial
from pathlib import Path
from typing import Any

from sentry_sdk.worker import BackgroundWorker

import bot.breaker
import bot.client
import bot.core
import bot.inbox
import bot.logs
import bot.process
import bot.quarantine
import bot.reports
import bot.run
import database
import settings
from bot.__main__ import leave
from bot.inbox import Inbox, Item
from bot.lanes import Lanes
from bot.lease import Lease
from bot.lines import Json
from bot.logs import Into
from models import Inbox as Row
from tests.tracebacks import keep, watch

# Guarantees switched off.


class Unfenced(Lease):
    """Goes on as the holder, whoever has the lease by now."""

    def valid(self) -> bool:
        return bool(self.fence)

    def proof(self) -> tuple[str, tuple[str | int, ...]]:
        return "SELECT 1", ()

    def _beat(self) -> bool:
        super()._beat()
        return True


class Unleased(Unfenced):
    """Holds the lease beside any other holder."""

    def _take(self) -> bool:
        super()._take()
        self.fence = self.fence or 1
        return True


class ByTheWall(Lease):
    """Measures beats by the wall clock."""

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__(name, clock=time.time, **options)


class Amnesiac(Inbox):
    """Recognises nothing: what comes again is new again."""

    def accept(self, bot_id: int, updates: Any, **options: Any) -> list[Item]:
        ids = [update["update_id"] for update in updates]
        Row.delete().where(Row.update_id.in_(ids)).execute()
        return super().accept(bot_id, updates, **options)


class Boundless(Lanes):
    """Keeps in memory whatever comes."""

    def __init__(self, *parts: Any, **_options: Any) -> None:
        super().__init__(*parts, limit=2**31, lane_limit=2**31)


class InLine(Into):
    """Writes where the handler runs, and waits for who reads."""

    def handle(self, record: logging.LogRecord) -> bool:
        os.write(sys.stdout.fileno(), Json().format(record).encode() + b"\n")
        return True


def report_in_line() -> None:
    """Tell Sentry where the handler runs, wait for its answer, and leave it alone for no moment."""

    def submit(_worker: object, callback: Callable[[], object]) -> bool:
        callback()
        return True

    BackgroundWorker.submit = submit  # type: ignore[method-assign, assignment]
    bot.reports.REST = 0.0


def swap(module: Any, name: str, part: object) -> None:
    """Let a module use another part of that name."""
    vars(module)[name] = part


CONTROLS: Mapping[str, Callable[[], None]] = {
    "no-fence": partial(swap, bot.core, "Lease", Unfenced),
    "no-lease": partial(swap, bot.core, "Lease", Unleased),
    "wall-clock": partial(swap, bot.core, "Lease", ByTheWall),
    "no-recognition": partial(swap, bot.core, "Inbox", Amnesiac),
    "one-lane": partial(swap, bot.inbox, "lane_of", lambda *_: 0),
    "no-limit": partial(swap, bot.core, "Lanes", Boundless),
    "no-breaker": partial(swap, bot.breaker, "FAILURES", 2**31),
    "log-in-line": partial(swap, bot.logs, "Into", InLine),
    "report-in-line": report_in_line,
    "no-quarantine": partial(swap, bot.quarantine, "KILLS", 2**31),
}

# Odd ways.


def hurry() -> None:
    """Beat, and take over, four times as fast."""
    bot.process.BEAT = 0.25
    defaults = Lease.__init__.__kwdefaults__
    assert defaults is not None
    defaults |= {"held_for": 1.5, "taken_after": 2.0}


def bound(memory: int) -> None:
    """Give out no more memory than so many bytes."""
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))


def shift(file: Path) -> None:
    """Move the wall clock by the seconds that a file holds, from the moment that it does."""
    real = time.time

    def now() -> float:
        return real() + float(file.read_text() or 0)

    class Moved(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.fromtimestamp(now(), tz)

    time.time = now
    swap(database, "datetime", Moved)


if __name__ == "__main__":
    watch(keep)
    if os.environ.get("CHAOS_HURRY"):
        hurry()
    if memory := os.environ.get("CHAOS_MEMORY"):
        bound(int(memory))
    if rest := os.environ.get("CHAOS_REST"):
        bot.breaker.REST = timedelta(seconds=float(rest))
    if moved := os.environ.get("CHAOS_CLOCK"):
        shift(Path(moved))
    for control in sys.argv[1:]:
        if control in CONTROLS:  # beside `--again`
            CONTROLS[control]()
    leave(bot.run.main(settings.load()))
