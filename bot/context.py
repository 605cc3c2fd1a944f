"""The context: one update, and what a handler can do about it."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from bot import message as messages
from bot import pieces, rules, words
from bot.conversations import Open
from bot.message import Buttons
from bot.runtime import ENDED, Effects, Runtime
from models import User
from services import analytics, notices, preferences, privacy, users

if TYPE_CHECKING:
    from telebot import TeleBot, types

    from bot.control import Control
    from bot.plugin import Command, Handler
    from bot.registry import Registry
    from services.cache import Cache

__all__ = ["ENDED", "Context", "Effects", "Runtime"]

_PAYLOAD = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Context:
    """One update, as a handler sees it. Made for each update; nothing in it is global.

    `update` is Telegram's whole update, `kind` its kind, `event` the part that is of this kind,
    `user` the sender from the database or None. `state` is what a question's `data` held.
    """

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

    users = users
    analytics = analytics
    preferences = preferences

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

    # What came.

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
        return self._words()[0]

    @property
    def text(self) -> str:
        """What was said: a message's text or caption, an inline query.

        Of a command only what follows its name, of a button's data what follows the prefix that
        the handler declared.
        """
        if self.kind == "callback_query":
            return self.data.removeprefix(self._prefix)
        return self._words()[1]

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

    # What to do about it.

    def reply(
        self,
        text: str,
        *,
        buttons: Buttons | None = None,
        parse_mode: str | None = None,
        **options: Any,
    ) -> types.Message:
        """Send a message to the chat, to the same topic; options are telebot's send_message's.

        With `photo=`, `document=`, `video=`, `animation=`, `audio=` or `voice=` the text is the
        caption. What is too long goes on in further messages; the last one is given. In an atomic
        handler all goes out after the commit, and the result is None.
        """
        own = {"reply_markup": self._keyboard(buttons), "parse_mode": parse_mode}
        return messages.send(self.bot, text, {**messages.place(self), **own, **options})

    def send_text(self, text: str) -> None:
        """Send a plain text to the chat without reading the answer: what `return text` does."""
        self.caller.call("sendMessage", self.place_text(text))

    def place_text(self, text: str) -> dict[str, Any]:
        """The parameters that send a plain text to the chat. Raises RuntimeError without one.

        Of a text that is too long for a message all but the last piece is sent at once.
        """
        if len(text) > pieces.SHORT:
            text = messages.send_ahead(self, text)
        return {**messages.place(self), "text": text}

    def edit(
        self, text: str, *, buttons: Buttons | None = None, **options: Any
    ) -> types.Message | bool | None:
        """Change the message whose button was tapped; without one, or too late, send another.

        A message that says the same already is fine.
        """
        return messages.edit(self, text, {"reply_markup": self._keyboard(buttons), **options})

    def answer(self, given: Any = None, *, alert: bool = False, **options: Any) -> None:
        """Answer a query; options are those of Telegram's method.

        The tap of a button: a toast, a box to close with `alert`, or nothing to see. An inline
        query: a list of results, telebot's or (title, text). A pre-checkout or shipping query:
        nothing to agree, a text to refuse. Raises RuntimeError for other kinds.
        """
        if alert:
            options["show_alert"] = True
        method, params = messages.answer(self, given, options)
        self.effects.answered = True
        self.caller.call(method, params)

    def notify(
        self,
        user: User | int,
        text: str,
        *,
        category: str,
        buttons: Buttons | None = None,
        parse_mode: str | None = None,
        at: datetime | None = None,
    ) -> bool:
        """Have a message sent to a person that is no answer: when and if they want it.

        `category` is one that the plugin declared; `at` the earliest time, UTC if it has no zone.
        False for somebody whom the bot does not know. Raises LookupError.
        """
        plugin = self.handler.plugin if self.handler else ""
        return notices.notify(
            user,
            text,
            category=self.runtime.registry.category(plugin, category),
            buttons=self._keyboard(buttons),
            parse_mode=parse_mode,
            bot_id=self.runtime.bot_id,
            at=at,
        )

    def ask(
        self,
        text: str,
        *,
        then: str | Callable[[Context], object],
        data: Mapping[str, Any] | None = None,
        timeout: float = 600,
        buttons: Buttons | None = None,
    ) -> types.Message:
        """Put a question; `then`, a step of the plugin, takes the user's next message.

        `data` waits in `ctx.state`, as JSON. After `timeout` seconds the question is forgotten.
        """
        if self.user is None:
            raise RuntimeError(f"There is nobody to ask: {self.kind} has no sender.")
        step = self._step(then)
        kept = json.loads(json.dumps({**(data or {})}))
        sent = self.reply(text, buttons=buttons, **({} if buttons else messages.demand(self)))
        until = self.runtime.clock() + timedelta(seconds=timeout)
        self.effects.conversation = Open(step, kept, until)
        return sent

    def track(self, event: str, **data: Any) -> None:
        """Count an event of this user for the statistics, once the update is done."""
        if not 0 < len(event) <= 64:
            raise ValueError(f"{event!r} cannot be an event: name it with 1 to 64 letters.")
        self.effects.events.append((event, json.loads(json.dumps(data))))

    @property
    def registry(self) -> Registry:
        """The plugins: `registry.stats()` and `registry.health()` ask those that can say."""
        return self.runtime.registry

    def export(self) -> dict[str, Any]:
        """All that is held on the sender, of the core and of every plugin, as JSON has it."""
        return privacy.export(self.sender.telegram_id, self.registry.hooks("export_user"))

    def erase(self) -> privacy.Receipt:
        """Erase the sender everywhere, and say what that was; after that, only reply.

        Raises RuntimeError in a handler that is not atomic: there, what the update itself leaves
        behind would be written after it.
        """
        if self.handler is None or not self.handler.atomic:
            raise RuntimeError("erase() is for atomic handlers: declare it with atomic=True.")
        hooks, own = self.registry.hooks("delete_user"), self.runtime.bot_id
        number = self.update.update_id
        receipt = privacy.erase(self.sender.telegram_id, hooks, own=(own, number))
        self.effects.erased = True
        return receipt

    def speak(self, language: str) -> None:
        """Speak another language with the user from now on, in the command menu too."""
        users.set_language(self.sender, rules.language_named(language))
        if self.runtime.tell_menu:
            self.runtime.tell_menu(self.caller, self.sender)

    def _keyboard(self, buttons: Buttons | None) -> str | None:
        return messages.keyboard(self.handler.plugin if self.handler else "", buttons)

    def _step(self, then: str | Callable[[Context], object]) -> str:
        """The full name of a step of the handler's own plugin."""
        name = then if isinstance(then, str) else then.__name__
        step = f"{self.handler.plugin}.{name}" if self.handler and "." not in name else name
        if step not in self.runtime.registry.steps:
            raise LookupError(f"{step} is no step: put @plugin.step above the function.")
        return step

    def _words(self) -> tuple[str | None, str]:
        if self._parsed is None:
            self._parsed = words.parse(self.kind, self.event, self.runtime.username)
        return self._parsed
