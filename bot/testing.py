"""The chat test kit: people, a group and a channel that talk to the real bot, with no sockets.

    with ChatKit() as kit:
        kit.alice.send("/start")
        assert "Welcome" in kit.alice.last

Everything between the wire and the database is the real thing, run in the calling thread.
"""

from __future__ import annotations

import json
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

import settings as configuration
from bot.chores import Chores
from bot.core import Core, Parts
from bot.form import File
from bot.i18n import Catalogues
from bot.loader import load, locales
from bot.wire import Ambiguous, NeverSent, Reply
from database import Database, bind, now, open_database
from models import TABLES
from sandbox.cast import CHANNEL_ID, GROUP_ID
from sandbox.telegram import ConnectionCut, Telegram
from sandbox.telegram import File as SentFile
from services.cache import open_cache
from services.plugins import Preferences, Switches
from settings import Secret

ROOT = Path(__file__).resolve().parent.parent


class MemoryWire:
    """A wire that ends in a Telegram of this process instead of a socket."""

    def __init__(self, telegram: Telegram) -> None:
        self.telegram = telegram

    def exchange(
        self,
        token: Secret,
        method: str,
        fields: Mapping[str, str],
        files: Mapping[str, File] | None = None,
        timeout: tuple[float, float] = (10, 30),
    ) -> Reply:
        """Call the method in memory; a cut by the fault switches is what a socket would say."""
        sent = {name: _sent(file) for name, file in (files or {}).items()}
        try:
            answer = self.telegram.call(token.reveal(), method, fields, sent)
        except ConnectionCut as cut:
            raise (Ambiguous if cut.sent else NeverSent)("the connection was cut") from None
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return Reply(answer.status, headers, json.dumps(answer.body).encode())

    def fetch(
        self, token: Secret, file_path: str, timeout: tuple[float, float] = (10, 30)
    ) -> Reply:
        """Get a file that somebody sent."""
        file = self.telegram.file(file_path)
        missing = b'{"ok": false, "error_code": 404, "description": "Not Found"}'
        return Reply(200, {}, file.data) if file else Reply(404, {}, missing)


def _sent(file: File) -> SentFile:
    data = file.data if isinstance(file.data, bytes) else file.data.read()
    return SentFile(file.name, data, file.mime)


class Patience:
    """A timer for Telegram's long polls that passes at once instead of being waited for."""

    def __init__(self) -> None:
        self.now = 0.0

    def timer(self) -> float:
        """The seconds that were waited so far."""
        return self.now

    def wait(self, _condition: threading.Condition, seconds: float | None = None) -> None:
        """Let the time pass."""
        self.now += seconds or 1.0


class View:
    """A chat as it is now, seen from outside: what the bot wrote in it."""

    def __init__(self, kit: ChatKit, chat_id: int) -> None:
        self.kit = kit
        self.id = chat_id

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The bot's messages as the Bot API describes them, oldest first, without deleted ones."""
        history = self.kit.telegram.history(self.kit.bot_id, self.id)
        return [m for m in history if _by_bot(m) and not m.get("deleted")]

    @property
    def texts(self) -> list[str]:
        """The texts and captions of the bot's messages, oldest first."""
        return [m.get("text") or m.get("caption") or "" for m in self.messages]

    @property
    def last(self) -> str:
        """The bot's newest text; raises AssertionError when it has written nothing."""
        assert self.texts, "the bot has written nothing here"
        return self.texts[-1]

    @property
    def buttons(self) -> list[str]:
        """The labels under the newest message that has buttons."""
        return [button["text"] for _, button in self._buttons()]

    def _buttons(self) -> list[tuple[int, dict[str, Any]]]:
        for message in reversed(self.messages):
            if rows := message.get("reply_markup", {}).get("inline_keyboard"):
                return [(message["message_id"], button) for row in rows for button in row]
        return []


class Person(View):
    """Somebody who chats with the bot; what they see is their private chat with it."""

    def __init__(self, kit: ChatKit, user: dict[str, Any]) -> None:
        super().__init__(kit, user["id"])
        self.user = user

    def send(self, text: str, *, to: View | None = None) -> list[str]:
        """Write a message, wait for the bot, and give what it wrote in that chat since."""
        view = to or self
        before = len(view.texts)
        self.kit.telegram.send(self.kit.bot_id, view.id, self.id, text=text)
        self.kit.step()
        return view.texts[before:]

    def send_file(self, name: str, data: bytes, *, photo: bool = False, caption: str = "") -> None:
        """Send a document, or a photo."""
        file = SentFile(name, data, "image/png" if photo else "application/octet-stream")
        self.kit.telegram.send(
            self.kit.bot_id,
            self.id,
            self.id,
            photo=file if photo else None,
            document=None if photo else file,
            caption=caption or None,
        )
        self.kit.step()

    def tap(self, label: str, *, to: View | None = None) -> str:
        """Tap the button with this label under the newest message that has it.

        Gives the toast that was shown, "" for none. Raises AssertionError when there is no such
        button.
        """
        view = to or self
        found = [(number, b) for number, b in view._buttons() if b["text"] == label]
        assert found, f"there is no button {label!r}, only {view.buttons}"
        number, button = found[-1]
        feed_from = self.kit.feed_end()
        data = button["callback_data"]
        self.kit.telegram.press(self.kit.bot_id, view.id, self.id, number, data)
        self.kit.step()
        answers = [h for h in self.kit.telegram.feed(feed_from) if h["kind"] == "answer"]
        return answers[-1].get("text", "") if answers else ""

    def block(self, blocked: bool = True) -> None:
        """Block the bot, or let it in again."""
        self.kit.telegram.block(self.kit.bot_id, self.id, blocked)
        self.kit.step()


class ChatKit:
    """A bot and its Telegram, for one test. Use it as a context manager.

    `plugins` are folders, by default the project's own; `database` one that is open and has the
    core's tables, by default a new one in a temporary folder; `telegram` one of your own; other
    keywords are settings by their environment names, for instance THROTTLE_RATE="1".
    """

    def __init__(
        self,
        plugins: Sequence[Path] | None = None,
        *,
        database: Database | None = None,
        telegram: Telegram | None = None,
        **environ: str,
    ) -> None:
        self._closing = ExitStack()
        self.folder = Path(self._closing.enter_context(tempfile.TemporaryDirectory()))
        self.moved = timedelta()
        patience = Patience()
        self.telegram = telegram or Telegram(
            clock=lambda: _unix(self.clock()), timer=patience.timer, wait=patience.wait
        )
        environ = {"THROTTLE_RATE": "0", "SEND_RATE": "0", "SEND_RATE_CHAT": "0"} | environ
        self.settings = configuration.load({"SEND_RATE_GROUP": "0"} | environ, folder=self.folder)
        self.bot_id = int(self.settings.bots[0].reveal().partition(":")[0])
        self.registry = load(plugins or [ROOT / "plugins"])
        assert not self.registry.failures, self.registry.failures
        self._open(database)
        self.core = self._start()
        people = [Person(self, user) for user in self.telegram.cast()]
        self.alice, self.bob, self.vera, self.dan = people
        self.group, self.channel = View(self, GROUP_ID), View(self, CHANNEL_ID)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def clock(self) -> datetime:
        """The kit's time: now, moved by `pass_time`."""
        return now() + self.moved

    def pass_time(self, **parts: float) -> None:
        """Move the kit's clock, for instance `minutes=10`."""
        self.moved += timedelta(**parts)

    def step(self) -> None:
        """Let the bot handle everything that is waiting, and send the notices that are due."""
        clients = [seat.client for seat in self.core.seats]
        while self.core.step() or self.core.notices.step(clients):
            pass

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
        chores.sync_menus(0.0)
        self.step()

    def feed_end(self) -> int:
        """The number of the newest happening in Telegram."""
        return max((happening["n"] for happening in self.telegram.feed(0)), default=0)

    def calls(self, method: str) -> list[dict[str, Any]]:
        """The parameters of every call of a method, oldest first."""
        feed = self.telegram.feed(0)
        return [h["params"] for h in feed if h["kind"] == "call" and h["method"] == method]

    def _open(self, database: Database | None) -> None:
        self.database = bind(database or open_database(f"sqlite:///{self.folder / 'chat.db'}"))
        if database is None:
            self.database.pragma("synchronous", "off", permanent=True)  # the folder is temporary
            self._closing.callback(self.database.close_all)
        models = [m for plugin in self.registry.plugins.values() for m in plugin.models]
        present = set(self.database.get_tables())
        missing = [m for m in [*TABLES, *models] if m._meta.table_name not in present]
        self.database.create_tables(missing)

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
            clock=self.clock,
        )
        core = Core(parts)
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


def _by_bot(message: dict[str, Any]) -> bool:
    return bool(message.get("from", {}).get("is_bot")) or "from" not in message


def _unix(moment: datetime) -> float:
    return float(moment.replace(tzinfo=UTC).timestamp())
