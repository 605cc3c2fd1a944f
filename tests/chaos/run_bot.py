"""Run the bot, or the bot with one guarantee switched off: the control of a fault test."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext, suppress
from functools import partial
from typing import Any, ClassVar

import bot.client
import bot.core
import bot.inbox
import bot.lease
import bot.ledger
import bot.limits
import bot.process
import bot.quarantine
import bot.run
import database
import outages
import settings
from bot.__main__ import leave, main
from bot.inbox import Item
from models import Inbox as Row
from tests.chaos import crash
from tests.ports import free_port
from tests.tracebacks import keep, watch


class Forgetful(bot.inbox.Inbox):
    """Tells Telegram "received" before anything is committed."""

    def accept(self, bot_id: int, updates: Any, **_: Any) -> list[Item]:
        items = bot.inbox._items(bot_id, updates)
        self._meet(items, self.clock())
        return items


class Amnesiac(bot.inbox.Inbox):
    """Recognises nothing: what comes again is new again."""

    def accept(self, bot_id: int, updates: Any, **options: Any) -> list[Item]:
        ids = [update["update_id"] for update in updates]
        Row.delete().where(Row.update_id.in_(ids)).execute()
        return super().accept(bot_id, updates, **options)


class Unordered(bot.inbox.Inbox):
    """Gives every update a lane of its own."""

    def accept(self, bot_id: int, updates: Any, **_: Any) -> list[Item]:
        items = super().accept(bot_id, updates)
        for item in items:
            item.lane = item.update_id
            item.key = (item.bot_id, item.lane)
        return items


class Careless(bot.inbox.Inbox):
    """Tells Telegram "received" although the commit failed."""

    def accept(self, bot_id: int, updates: Any, **options: Any) -> list[Item]:
        with suppress(Exception):
            return super().accept(bot_id, updates, **options)
        return []


class Deaf(bot.limits.Limits):
    """Does not pause when Telegram asks for it."""

    def pause(self, chat_id: object, seconds: float) -> None:
        pass


class Uncounted(bot.client.Client):
    """Repeats what may have been carried out, and tells nobody."""

    def doubt(self, method: str, error: Exception, *, last: bool = False) -> None:
        pass


class Hasty(bot.client.Client):
    """Drops what comes too fast."""

    def _hold(self, chat: str | None, error: Exception) -> None:
        raise error


class Eager(bot.client.Client):
    """Does everything twice, to be sure."""

    def call(self, method: str, *args: Any, **options: Any) -> Any:
        super().call(method, *args, **options)
        return super().call(method, *args, **options)


class Roomy(bot.ledger.Ledger):
    """Lets any number begin, and commits twice a minute."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **{**options, "slots": 10**6, "period": 30.0})
        self.batch = 10**6


class Hoarding(bot.inbox.Inbox):
    """Forgets nothing: some memory stays behind with each update."""

    hoard: ClassVar[list[bytes]] = []

    def accept(self, bot_id: int, updates: Any, **options: Any) -> list[Item]:
        items = super().accept(bot_id, updates, **options)
        self.hoard.extend(b"x" * 8192 for _ in items)
        return items


class Stubborn(bot.process.Process):
    """Does not hear a second signal."""

    def _on_signals(self) -> None:
        def ask(_number: int, _frame: object) -> None:
            self.stop.set()

        signal.signal(signal.SIGTERM, ask)
        signal.signal(signal.SIGINT, ask)


def swap(name: str, part: type) -> None:
    """Build the core with another part of that name."""
    vars(bot.core)[name] = part


def swap_process() -> None:
    """Run a process that does not hear a second signal."""
    vars(bot.run)["Process"] = Stubborn


def tear() -> None:
    """Let every statement of a migration be committed by itself."""
    for engine in (database.Sqlite, database.Postgres):
        for name in ("atomic", "transaction"):
            setattr(engine, name, lambda *_, **__: nullcontext())


def excuse_nothing() -> None:
    """Take a database that is locked, or away, for a mistake."""
    vars(outages)["_is_outage"] = lambda _error: False


def sync_nothing() -> None:
    """Let SQLite commit without waiting for the disk."""
    database._PRAGMAS["synchronous"] = "off"


def wait_for_nobody() -> None:
    """End without waiting for the handlers that run."""
    bot.process.GRACE = 0.0


class Impatient(bot.process.Process):
    """Starts the next one, which takes the lease, before it has stopped polling."""

    def restart(self) -> None:
        port = str(free_port())
        command = [sys.executable, *sys.orig_argv[1:], "--again"]
        subprocess.Popen(command, env={**os.environ, "METRICS_PORT": port})


class Unleased(bot.lease.Lease):
    """Takes the lease whoever has it, and goes on when another one took it."""

    def valid(self) -> bool:
        return bool(self.fence)

    def proof(self) -> tuple[str, tuple[str | int, ...]]:
        return "SELECT 1", ()

    def _beat(self) -> bool:
        super()._beat()
        return True

    def _take(self) -> bool:
        self._dead = lambda owner: True
        return super()._take()


def overlap() -> None:
    """Let the next process poll beside this one, and end with it."""
    if "--again" in sys.argv:
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    vars(bot.run)["Process"] = Impatient
    swap("Lease", Unleased)


CONTROLS: dict[str, Callable[[], None]] = {
    "confirm-first": partial(swap, "Inbox", Forgetful),
    "confirm-anyway": partial(swap, "Inbox", Careless),
    "no-recognition": partial(swap, "Inbox", Amnesiac),
    "no-lanes": partial(swap, "Inbox", Unordered),
    "no-places": partial(swap, "Ledger", Roomy),
    "no-pause": partial(swap, "Limits", Deaf),
    "no-count": partial(swap, "Client", Uncounted),
    "no-patience": partial(swap, "Client", Hasty),
    "no-restraint": partial(swap, "Client", Eager),
    "no-sync": sync_nothing,
    "no-handover": overlap,
    "no-grace": wait_for_nobody,
    "one-signal": swap_process,
    "no-transaction": tear,
    "no-retry": excuse_nothing,
    "hoard": partial(swap, "Inbox", Hoarding),
}
"""Each switches one guarantee off."""

if __name__ == "__main__":
    watch(keep)
    crash.install()
    bot.quarantine.CALM = float(os.environ.get("CHAOS_CALM", bot.quarantine.CALM))
    for control in CONTROLS.keys() & sys.argv[1:]:
        CONTROLS[control]()
    if "migrate" in sys.argv:
        sys.exit(main(["migrate"]))
    leave(bot.run.main(settings.load(), again="--again" in sys.argv))
