"""The context: one update, and what a handler can do about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from bot import codec, letters, pieces, rules
from bot import message as messages
from bot.conversations import Open
from bot.heard import Heard
from bot.message import Buttons
from bot.runtime import ENDED, Effects, Runtime
from models import User
from services import analytics, arrivals, notices, preferences, privacy, users

if TYPE_CHECKING:
    from telebot import types

    from bot.registry import Registry

__all__ = ["ENDED", "Context", "Effects", "Runtime"]


class Context(Heard):
    """One update, as a handler sees it. Made for each update; nothing in it is global.

    `update` is Telegram's whole update, `kind` its kind, `event` the part that is of this kind,
    `user` the sender from the database or None. `state` is what a question's `data` held.
    """

    __slots__ = ()

    users = users
    analytics = analytics
    preferences = preferences

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
        choices: Sequence[str] = (),
    ) -> types.Message:
        """Put a question; `then`, a step of the plugin, takes the user's next message.

        `choices` are answers to tap instead of typing; the step gets the one that was tapped.
        `data` waits in `ctx.state`, as JSON. After `timeout` seconds the question is forgotten.
        """
        if self.user is None:
            raise RuntimeError(f"There is nobody to ask: {self.kind} has no sender.")
        step = self._step(then)
        kept = codec.storable({**(data or {})})
        answers = {} if buttons else messages.demand(self, choices)
        sent = self.reply(text, buttons=buttons, **answers)
        until = self.runtime.clock() + timedelta(seconds=timeout)
        self.effects.conversation = Open(step, kept, until)
        return sent

    def track(self, event: str, **data: Any) -> None:
        """Count an event of this user for the statistics, once the update is done."""
        event = codec.storable(event)  # what is refused would take the core's own count with it
        if not 0 < len(event) <= 64:
            raise ValueError(f"{event!r} cannot be an event: name it with 1 to 64 letters.")
        self.effects.events.append((event, codec.storable(data)))

    def keep_for_team(self) -> None:
        """Keep what the sender wrote for the team, who read and answer it in the panel.

        It is the person's own chat that they answer in. Of a command what follows its name.
        """
        person, message = self.sender, self.message
        text = self.text if message is not None and message.content_type == "text" else None
        kept = letters.letter(self.runtime.bot_id, person.telegram_id, person.id, message, text)
        if kept is not None:
            self.effects.letters.append(kept)

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

    def panel_link(self) -> str | None:
        """An address that signs the sender in to the panel: once, and for two minutes.

        None for somebody without an account there. Raises RuntimeError where others read along.
        """
        if self.chat is None or self.chat.type != "private":
            raise RuntimeError("A link to the panel is for a private chat: look at ctx.chat.type.")
        token = arrivals.panel_link(self.sender.telegram_id, self.runtime.clock())
        return f"{self.runtime.panel_url}/enter/{token}" if token else None

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
