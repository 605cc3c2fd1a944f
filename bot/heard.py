"""What was heard: one update as a handler reads it."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from bot import rules, words
from bot.runtime import Effects, Runtime
from models import User
from services import preferences

if TYPE_CHECKING:
    from telebot import TeleBot, types

    from bot.control import Control
    from bot.plugin import Command, Handler
    from services.cache import Cache

_PAYLOAD = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Heard:
    """What came, from whom, and in which language to speak about it."""

    __slots__ = (
        "_parsed",
        "_prefix",
        "_update",
        "caller",
        "chat",
        "effects",
        "event",
        "handler",
        "kind",
        "runtime",
        "state",
        "user",
    )

    def __init__(
        self,
        runtime: Runtime,
        update: types.Update | Mapping[str, Any],
        kind: str,
        event: Any,
        user: User | None,
    ) -> None:
        """`update` may be Telegram's JSON, to be read when it is asked for."""
        self.runtime = runtime
        self._update = update
        self.kind = kind
        self.event = event
        self.user = user
        self.caller = runtime.caller
        self.handler: Handler | None = None
        self.effects = Effects()
        self.state: dict[str, Any] = {}
        self._prefix = ""
        self.chat: types.Chat | None = getattr(event, "chat", None) or getattr(
            self.message, "chat", None
        )
        """The chat it happened in; None for inline queries, polls and the like."""
        self._parsed: tuple[str | None, str] | None = None

    @property
    def update(self) -> types.Update:
        """The whole update."""
        from bot.reading import read_whole

        if isinstance(self._update, Mapping):
            self._update = read_whole(self._update, self.kind)
            setattr(self._update, self.kind, self.event)
        return self._update

    @property
    def message(self) -> types.Message | None:
        """The message that came, or the one whose button was tapped."""
        if self.kind in rules.MESSAGES:
            return self.event  # type: ignore[no-any-return]
        return getattr(self.event, "message", None)

    @property
    def sender(self) -> User:
        """The user, where there always is one: a command, a button. Raises RuntimeError."""
        if self.user is None:
            raise RuntimeError(f"{self.kind} has no sender: look at ctx.user, which is None.")
        return self.user

    @property
    def chat_id(self) -> int:
        """The chat's id. Raises RuntimeError where there is no chat."""
        if (chat := self.chat) is None:
            raise RuntimeError(
                f"{self.kind} has no chat: use ctx.bot and the id of a chat, or the method of"
                " Telegram that answers it."
            )
        return chat.id

    @property
    def command(self) -> str | None:
        """The command's name without the /, None when this is none or meant for another bot."""
        return (self._parsed or self._words())[0]

    @property
    def text(self) -> str:
        """What was said: a message's text or caption, an inline query.

        Of a command only what follows its name, of a button's data what follows the prefix that
        the handler declared.
        """
        if self.kind == "callback_query":
            return self.data.removeprefix(self._prefix)
        return (self._parsed or self._words())[1]

    @property
    def args(self) -> list[str]:
        """The words of `text`."""
        return self.text.split()

    @property
    def data(self) -> str:
        """What the tapped button carries, without the plugin's name."""
        data: str = getattr(self.event, "data", None) or ""
        return data.removeprefix(f"{self.handler.plugin}:" if self.handler else "")

    @property
    def matched(self) -> str | re.Match[str]:
        """What made the handler fit: its `data` prefix, or the match of its `regexp`."""
        pattern = self.handler.filters.get("regexp") if self.handler else None
        found = re.search(pattern, self.event.text or "", re.IGNORECASE) if pattern else None
        return found or self._prefix

    def match_data(self, plugin: str, prefix: str | None = None) -> bool:
        """Whether the tapped button is the plugin's and its data begins with the prefix."""
        whole = f"{plugin}:{prefix or ''}"
        if not (self.event.data or "").startswith(whole):
            return False
        self._prefix = prefix or ""
        return True

    # Who is spoken to, and how.

    @property
    def lang(self) -> str:
        """The language to speak: the user's, or the default."""
        return self.user.language.value if self.user else self.runtime.default_language

    def _(self, text: str, language: str | None = None) -> str:
        """The text in the user's language, or in that of somebody else who is spoken to."""
        translator = self.runtime.catalogues.translator(language or self.lang)
        return translator.gettext(text) if text else ""

    def ngettext(self, singular: str, plural: str, count: int) -> str:
        """The text for a number, in the user's language."""
        translator = self.runtime.catalogues.translator(self.lang)
        return translator.ngettext(singular, plural, count)

    @property
    def local_time(self) -> datetime:
        """The time on the user's wall, by the time zone they chose; UTC when they chose none."""
        zone = preferences.zone_of(self.user) if self.user else UTC
        return self.runtime.clock().replace(tzinfo=UTC).astimezone(zone)

    @property
    def bot(self) -> TeleBot:
        """The whole Bot API, as telebot has it; limits and retries are seen to."""
        return self.caller.telebot

    @property
    def cache(self) -> Cache:
        """Values worth keeping for a while, shared by all processes where Redis is set."""
        return self.runtime.cache

    @property
    def now(self) -> datetime:
        """The time, in UTC and without a zone, as the tables keep it."""
        return self.runtime.clock()

    @property
    def plugins(self) -> Control:
        """The plugins, to be listed, switched and set by people of the team."""
        if self.runtime.plugins is None:
            raise RuntimeError("This context belongs to no bot that runs: it has no plugins.")
        return self.runtime.plugins

    @property
    def log(self) -> logging.LoggerAdapter[logging.Logger]:
        """A log whose lines name the update, the user and the plugin."""
        plugin = self.handler.plugin if self.handler else "core"
        user_id = self.user.telegram_id if self.user else None
        about = {"update_id": self.update.update_id, "user_id": user_id, "plugin": plugin}
        return logging.LoggerAdapter(logging.getLogger(f"plugins.{plugin}"), about)

    @property
    def commands(self) -> list[Command]:
        """The commands that the user may use in this chat, as the plugins declare them."""
        return self.runtime.registry.usable(self.user, self.chat.id if self.chat else 0)

    @property
    def categories(self) -> dict[str, str]:
        """The kinds of notices by their full names, each with what the user is told of it."""
        return self.runtime.registry.categories(self.chat.id if self.chat else 0)

    def link(self, payload: str) -> str:
        """A link that starts the bot with `payload`: 1 to 64 of A-Z, a-z, 0-9, _ and -."""
        if not _PAYLOAD.fullmatch(payload):
            raise ValueError(f"{payload!r} cannot be in a link: use 1 to 64 of A-Z a-z 0-9 _ -.")
        return f"https://t.me/{self.runtime.username}?start={payload}"

    def _words(self) -> tuple[str | None, str]:
        if self._parsed is None:
            self._parsed = words.parse(self.kind, self.event, self.runtime.username)
        return self._parsed
