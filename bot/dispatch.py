"""Dispatch: telebot matches one handler, and the plugin's function runs with a ctx."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from telebot import TeleBot
from telebot.apihelper import ApiTelegramException
from telebot.handler_backends import ContinueHandling

from bot import codec, plain
from bot.breaker import Breaker
from bot.client import Ambiguous, Client, Stopping
from bot.context import ENDED, Effects
from bot.conversations import Change, Conversations, Key, Open
from bot.inbox import Item
from bot.ledger import Entry, Ledger, Settled
from bot.middleware import Turn, say, stop_spinner
from bot.outbox import Outbox
from bot.plugin import Handler, Plugin
from bot.registry import Registry
from bot.runtime import PASS
from bot.tracing import tracing
from database import db
from models import User
from services.users import People

log = logging.getLogger(__name__)

CONTINUE = ContinueHandling()

ROUNDS = 20
"""How often the replies of an atomic handler are begun again while Telegram does not answer."""

REGISTER = {"inline_query": "inline", "chosen_inline_result": "chosen_inline"}
"""Update kinds whose name in telebot's register methods is another."""


class Dispatch:
    """The end of the middleware: which function gets the update, and what it leaves behind."""

    def __init__(
        self,
        registry: Registry,
        ledger: Ledger,
        conversations: Conversations,
        people: People,
        breaker: Breaker,
        *,
        called: Callable[[str], None],
        let_go: Callable[[User], None] = lambda user: None,
    ) -> None:
        self.registry = registry
        self.ledger = ledger
        self.conversations = conversations
        self.people = people
        self.breaker = breaker
        self._called = called
        self._let_go = let_go

    def match(self, turn: Turn) -> None:
        """An open conversation takes what is no command; else telebot matches a handler."""
        if not self._answer_step(turn):
            self.find(turn)
        if turn.item.kind == "callback_query" and not turn.ctx.effects.answered:
            stop_spinner(turn)

    def find(self, turn: Turn) -> None:
        """Have telebot look for the handlers that fit."""
        telebot = turn.client.telebot
        if turn.item.kind == "message":
            telebot.process_new_messages([turn.ctx.event])  # type: ignore[no-untyped-call]
        else:
            telebot.process_new_updates([turn.ctx.update])

    def _answer_step(self, turn: Turn) -> bool:
        ctx = turn.ctx
        if (key := conversation_of(turn)) is None:
            return False
        opened = self.conversations.get(key)
        if opened is None and ctx.command != "cancel":
            return False  # nearly always
        if self.cancels(turn):
            ctx.effects.conversation = ENDED if opened else None
            turn.outcome = "ok"
            say(turn, "Cancelled." if opened else "Nothing to cancel.")
            return True
        step = self.step_for(turn, opened)
        if opened is None or step is None:
            return False
        ctx.state = opened.data
        ctx.effects.conversation = ENDED
        self.call(turn, step)
        return True

    def cancels(self, turn: Turn) -> bool:
        """Whether the message is the core's own /cancel."""
        return turn.ctx.command == "cancel" and "cancel" not in self.registry.commands

    def step_for(self, turn: Turn, opened: Open | None) -> Handler | None:
        """The step that takes the message: of an open conversation, when this is no command."""
        if opened is None or turn.ctx.command is not None:
            return None
        step = self.registry.steps.get(opened.step)
        return step if step and self._runs(step.plugin, turn.ctx.chat_id) else None

    def call(self, turn: Turn, handler: Handler) -> ContinueHandling | None:
        """Run a plugin's function; its returned text is the reply.

        Gives what makes telebot go on to the next handler when the function returned PASS.
        """
        turn.handler = turn.ctx.handler = handler
        if not may(turn, handler):
            turn.outcome = "denied"
            say(turn, "You may not use this command.")
            return None
        turn.client.check()
        if not self.breaker.enter(handler, turn.started):
            self._excuse(turn, handler)
            return None
        if tracing.on:
            with tracing.span("handler", plugin=handler.plugin, handler=handler.name):
                reply = self._run(turn, handler)
        else:
            reply = self._run(turn, handler)
        self.breaker.leave(handler.plugin)
        return CONTINUE if reply is PASS else None

    def _run(self, turn: Turn, handler: Handler) -> object:
        if handler.atomic:
            self._call_atomic(turn, handler)
            return None
        reply = handler.func(turn.ctx)
        if isinstance(reply, str) and reply:
            if turn.item.kind == "callback_query":
                turn.ctx.send_text(reply)  # before the spinner stops
            else:
                turn.reply = turn.ctx.place_text(reply)
        turn.outcome = "ok"
        return reply

    def _excuse(self, turn: Turn, handler: Handler) -> None:
        """Do nothing for a suspended plugin; who asks with a command is told, once in a chat."""
        turn.outcome = "suspended"
        if handler.command and self.breaker.tells(handler.plugin, turn.ctx.chat_id):
            say(turn, "This is temporarily off. Please try again later.")

    def _runs(self, plugin: str, chat_id: int) -> bool:
        """Whether a plugin is on in a chat, and not suspended."""
        return self.registry.on(plugin, chat_id) and not self.breaker.holds(plugin)

    def _call_atomic(self, turn: Turn, handler: Handler) -> None:
        """Writes and bookkeeping in one transaction; what the handler sends goes out after it.

        The calls stay in the inbox until they are sent, so that a crash in between loses none.
        """
        ctx, client = turn.ctx, turn.ctx.caller
        person = dict(turn.user.__data__) if turn.user else {}
        before, update = _copied(ctx.effects), turn.item.update
        outbox = Outbox(turn.client)
        try:
            with db.atomic():
                ctx.caller = outbox
                reply = handler.func(ctx)
                if isinstance(reply, str) and reply:
                    ctx.send_text(reply)
                if turn.item.kind == "callback_query" and not ctx.effects.answered:
                    ctx.answer()
                turn.outcome = "ok"
                turn.item.update = {"calls": outbox.calls, "handler": turn.label}
                entry = entry_of(turn, "replying", codec.dumps(turn.item.update))
                if not self.ledger.commit([entry]):
                    raise Settled
        except BaseException as error:
            if isinstance(error, Settled) and entry.change:
                self.conversations.keep(entry.change)  # committed by the run before
            ctx.effects, turn.item.update = before, update
            if turn.user is not None:
                turn.user.take(person)
                self.people.forget(turn.user.telegram_id)
            raise
        finally:
            ctx.caller = client
        if entry.change:
            self.conversations.keep(entry.change)
        if ctx.effects.erased:
            self._let_go(ctx.sender)
        turn.item.state = "replying"
        turn.entry = send_replies(turn.client, turn.item)

    # Binding: each declared handler becomes one of telebot's.

    def bind(self, telebot: TeleBot) -> None:
        """Register every handler with telebot: commands by one look-up, the last resorts last."""
        telebot.register_message_handler(
            self._run_command, content_types=["text"], func=self._finds_command
        )
        plugins, modules = self.registry.plugins, self.registry.modules
        for name in sorted({**plugins, **modules}):
            if name in modules:
                self.bind_module(telebot, name)
            else:
                self._bind_all(telebot, plugins[name], last=False)
        for _, plugin in sorted(plugins.items()):
            self._bind_all(telebot, plugin, last=True)

    def handlers(self, telebot: TeleBot) -> list[Handler]:
        """Every function that an update may get to, once all are bound."""
        plugins = self.registry.plugins.values()
        own = [each for one in plugins for each in (*one.handlers, *one.steps.values())]
        return own + plain.handlers_of(telebot)

    def bind_module(self, telebot: TeleBot, name: str) -> None:
        """Let a module in telebot's style register its handlers."""
        plain.bind(telebot, name, self.registry.modules[name], self._runs, self.breaker)

    def _bind_all(self, telebot: TeleBot, plugin: Plugin, *, last: bool) -> None:
        for handler in plugin.handlers:
            if handler.command is None and handler.last == last:
                self._bind(telebot, handler)

    def _bind(self, telebot: TeleBot, handler: Handler) -> None:
        register = getattr(telebot, f"register_{REGISTER.get(handler.kind, handler.kind)}_handler")
        filters = {k: v for k, v in handler.filters.items() if k not in ("func", "data")}
        register(self._runner(handler), func=self._filter(handler), **filters)

    def _runner(self, handler: Handler) -> Callable[[Any], ContinueHandling | None]:
        return lambda event: self.call(event.turn, handler)

    def _filter(self, handler: Handler) -> Callable[[Any], bool]:
        """The plugin is on in this chat, the button is its own, and its own filter agrees."""
        wanted, prefix = handler.filters.get("func"), handler.filters.get("data")
        suspended = self.breaker.suspended

        def test(event: Any) -> bool:
            turn: Turn = event.turn
            ctx = turn.ctx
            if not self.registry.on(handler.plugin, ctx.chat.id if ctx.chat else 0):
                return False
            if suspended and self.breaker.holds(handler.plugin):
                return False
            if handler.kind == "callback_query" and not ctx.match_data(handler.plugin, prefix):
                return False
            if wanted is None:
                return True
            turn.handler = ctx.handler = handler
            accepted = bool(wanted(event))
            turn.handler = ctx.handler = handler if accepted else None
            return accepted

        return test

    def _finds_command(self, event: Any) -> bool:
        handler = self.registry.commands.get(event.turn.ctx.command or "")
        chat = event.turn.ctx.chat
        return handler is not None and self.registry.on(handler.plugin, chat.id if chat else 0)

    def _run_command(self, event: Any) -> ContinueHandling | None:
        name = event.turn.ctx.command
        self._called(name)
        return self.call(event.turn, self.registry.commands[name])


def send_replies(client: Client, item: Item) -> Entry:
    """Send what an atomic handler left; a call that Telegram refuses does not stop the rest."""
    calls = item.update["calls"]
    while calls:
        method, params = calls[0]
        try:
            client.call(method, params)
        except (Ambiguous, ApiTelegramException) as error:
            if getattr(error, "error_code", 500) >= 500 and item.rounds < ROUNDS:
                item.rounds += 1
                raise Stopping(f"{method} is sent later") from error
            log.warning("%s after %s was refused: %s", method, item.update["handler"], error)
        del calls[0]
    return Entry(item)


def entry_of(turn: Turn, state: str = "done", payload: str | None = None) -> Entry:
    """What the turn leaves behind; a failed handler leaves its failure and no effects."""
    counted = turn.item.kind == "message" and turn.outcome != "banned" and not turn.item.replayed
    if turn.failure is not None:
        return Entry(turn.item, "failed", None, counted, turn.events, failure=turn.failure)
    effects = turn.ctx.effects
    if effects.erased:
        return Entry(turn.item, state, payload)
    user_id = turn.user.id if turn.user else None
    events = turn.events + [(name, user_id, data) for name, data in effects.events]
    change = None
    if effects.conversation is not None and turn.ctx.chat and turn.user:
        key = (turn.item.bot_id, turn.ctx.chat.id, turn.user.telegram_id)
        opened = None if effects.conversation is ENDED else effects.conversation
        change = Change(key, opened)
    return Entry(turn.item, state, payload, counted, events, effects.letters, change)


def _copied(effects: Effects) -> Effects:
    """The effects so far, whatever is added to them from now on."""
    return replace(effects, events=list(effects.events), letters=list(effects.letters))


def may(turn: Turn, handler: Handler) -> bool:
    """Whether the sender has the role that a handler needs."""
    if not handler.role:
        return True
    return turn.user is not None and turn.user.role >= handler.role


def conversation_of(turn: Turn) -> Key | None:
    """The conversation that a message may be an answer in."""
    chat = turn.ctx.chat
    if turn.item.kind != "message" or turn.user is None or chat is None:
        return None
    return (turn.item.bot_id, chat.id, turn.user.telegram_id)
