"""The chat kit: a bot and its Telegram in one process, run in the calling thread."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Self

import settings as configuration
from bot.actors import Person, View
from bot.chores import Chores
from bot.client import Client
from bot.core import Core, Parts
from bot.i18n import Catalogues
from bot.lease import Lease
from bot.loader import load, locales
from bot.memory import Clock, MemoryWire, Patience
from database import Database, bind, open_database
from models import Failure
from sandbox import cast
from sandbox.telegram import Telegram
from services.cache import open_cache
from services.plugins import Preferences, Switches
from staff import TABLES

ROOT = Path(__file__).resolve().parent.parent


class ChatKit:
    """A bot and its Telegram, for one test. Use it as a context manager.

    `plugins` are folders or single plugins, by default the project's own; `database` one that is
    open and has the core's tables, by default a new one in a temporary folder; `telegram` one of
    your own; other keywords are settings by their environment names, such as THROTTLE_RATE="1".
    """

    def __init__(
        self,
        plugins: Sequence[Path] | None = None,
        *,
        database: Database | None = None,
        telegram: Telegram | None = None,
        **environ: str,
    ) -> None:
        self.registry = load(plugins or [ROOT / "plugins"])
        assert not (failures := self.registry.failures), "\n".join(f.reason for f in failures)
        self._closing = ExitStack()
        self.folder = Path(self._closing.enter_context(tempfile.TemporaryDirectory()))
        self.time = Clock()
        self.telegram = telegram or self._telegram()
        environ = {"THROTTLE_RATE": "0", "SEND_RATE": "0", "SEND_RATE_CHAT": "0"} | environ
        self.settings = configuration.load({"SEND_RATE_GROUP": "0"} | environ, folder=self.folder)
        self.bot_id = int(self.settings.bots[0].reveal().partition(":")[0])
        self.marked = 0
        """The number of the newest happening before the last deed."""
        self.asked = ""
        """The id of the last inline query."""
        self._open(database)
        self._forgiven = self._newest_failure()
        self.core = self._start()
        self.alice, self.bob, self.vera, self.dan = (
            Person(self, user) for user in self.telegram.cast()[:4]
        )
        self.group, self.channel = View(self, cast.GROUP_ID), View(self, cast.CHANNEL_ID)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def clock(self) -> datetime:
        """The kit's time: now, moved by `pass_time` and by what waited for Telegram."""
        return self.time.now()

    def pass_time(self, **parts: float) -> None:
        """Move the kit's clock, for instance `minutes=10`."""
        self.time.moved += timedelta(**parts)

    def step(self) -> None:
        """Let the bot handle all that is waiting, and send notices and the team's messages."""
        clients = [seat.client for seat in self.core.seats]
        while self._handle() or self._post(clients):
            pass

    def push(self, update: dict[str, Any]) -> None:
        """Have an update come from Telegram as it is; people and chats in it become known."""
        self.marked = self.telegram.newest
        self.telegram.push(self.bot_id, update)
        self.step()

    def restart(self) -> None:
        """Forget all that the process knew, as after a kill, and start anew."""
        for seat in self.core.seats:
            seat.lease.release()
        self.core = self._start()
        self.step()

    def chores(self) -> None:
        """Do once what the process does every second: switches, settings, replays, menus."""
        chores = Chores(self.core, [self.switches, self.preferences])
        chores.step(0.0)
        chores.tell_owners(0.0)
        chores.sync_menus(0.0)
        self.step()

    def fail(
        self,
        method: str = "*",
        *,
        code: int = 0,
        retry_after: int | None = None,
        cut: str = "",
        times: int | None = 1,
        chat: View | None = None,
    ) -> None:
        """Have calls of a method ("*": all) fail: so many times, or (None) until `heal`.

        `code` is an error status, `retry_after` the seconds of a 429; `cut="before"` ends the
        connection before the call is carried out, `cut="after"` after it, without an answer.
        Only calls for `chat`, if one is given. What waits for Telegram then waits in no time.
        Raises ValueError for a code that Telegram does not give.
        """
        kind = f"cut_{cut}" if cut else str(429 if retry_after is not None else code)
        place = chat.id if chat else None
        self.telegram.fail(kind, method, chat_id=place, times=times, value=retry_after)

    def heal(self) -> None:
        """Switch every fault off."""
        self.telegram.heal()

    def calls(self, method: str) -> list[dict[str, Any]]:
        """The parameters of every call of a method, oldest first."""
        feed = self.telegram.feed(0)
        return [h["params"] for h in feed if h["kind"] == "call" and h["method"] == method]

    def take_failures(self) -> list[str]:
        """The handlers' errors since the last look, such as "ValueError: no number".

        The fixture `kit` fails a test that leaves some untaken.
        """
        return [f"{failure.error}: {failure.message}" for failure in self.take_failed()]

    def take_failed(self) -> list[Failure]:
        """As `take_failures`, as rows of the table, with traceback and update."""
        rows = list(Failure.select().where(Failure.id > self._forgiven).order_by(Failure.id))
        self._forgiven = max([self._forgiven, *(row.id for row in rows)])
        return rows

    def add_person(self, name: str, *, language: str = "en") -> Person:
        """One more person, who is in none of the groups."""
        number = max(user["id"] for user in self.telegram.cast()) + 1
        person = cast.Person(number, name, username=name.lower(), language_code=language)
        self.telegram.add_person(person)
        return Person(self, person.user)

    def add_place(self, title: str, *, kind: str = "supergroup") -> View:
        """One more place: a "group", "supergroup" or "channel", Alice's, with all of the cast."""
        number = -1_001_000_001_000 - self.telegram.newest
        self.telegram.add_place(cast.Place(number, kind, title, cast.OWNER_ID))
        return View(self, number)

    def _post(self, clients: Sequence[Client]) -> int:
        """Send what is no answer: notices, and what the team wrote."""
        return self.core.notices.step(clients) + self.core.postman.step(clients)

    def _handle(self) -> bool:
        """Handle what is waiting; whether there may be more."""
        count = self.core.step()
        return 0 < count < self._waiting()

    def _waiting(self) -> int:
        """How many updates Telegram keeps; those fetched last are among them."""
        return sum(self.telegram.unconfirmed(seat.bot_id) for seat in self.core.seats)

    def _telegram(self) -> Telegram:
        time, patience = self.time, Patience()
        return Telegram(clock=time.unix, timer=patience.timer, wait=patience.wait, sleep=time.wait)

    def _open(self, database: Database | None) -> None:
        self.database = database or open_database(f"sqlite:///{self.folder / 'chat.db'}")
        bind(self.database)
        if database is None:
            self._closing.callback(self.database.close_all)
            self.database.pragma("synchronous", "off", permanent=True)  # it outlives no crash
        models = [m for plugin in self.registry.plugins.values() for m in plugin.models]
        present = set(self.database.get_tables())
        missing = [m for m in [*TABLES, *models] if m._meta.table_name not in present]
        self.database.create_tables(missing)

    def _newest_failure(self) -> int:
        newest = Failure.select(Failure.id).order_by(Failure.id.desc()).first()
        return newest.id if newest else 0

    def _start(self) -> Core:
        self.switches, self.preferences = Switches(), Preferences()
        self.switches.refresh()
        self.preferences.refresh()
        self.registry.bind(self.switches.on, self.preferences.get)
        parts = Parts(
            self.settings,
            self.registry,
            MemoryWire(self.telegram),
            open_cache(None),
            _catalogues(*_stamped(locales(self.registry))),
            self.switches,
            self.preferences,
            clock=self.clock,
            timer=self.time.timer,
            wait=self.time.wait,
            lease=partial(Lease, clock=lambda: 0.0),
        )
        core = Core(parts)
        core.breaker.refresh()
        self._closing.callback(parts.courier.close)
        for seat in core.seats:
            seat.lease.step()
            core.lead(seat)
        self.registry.start()
        return core


def _stamped(folders: Sequence[Path]) -> list[tuple[Path, tuple[int, ...]]]:
    """Each folder with the times at which its catalogues were written."""
    return [(each, tuple(p.stat().st_mtime_ns for p in each.glob("*/*.po"))) for each in folders]


@lru_cache(maxsize=8)
def _catalogues(*stamped: tuple[Path, tuple[int, ...]]) -> Catalogues:
    """The texts, read once for many kits."""
    return Catalogues(folder for folder, _ in stamped)
