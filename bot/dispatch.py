"""Dispatch: telebot matches one handler, and the plugin's function runs with a ctx."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from telebot import TeleBot, types
from telebot.apihelper import ApiTelegramException

from bot.client import Client, Outbox, Stopping
from bot.context import ENDED, Context, Runtime
from bot.conversations import Change, Conversations
from bot.inbox import Inbox, Item
from bot.lease import Fenced
from bot.ledger import Entry, Ledger, Settled
from bot.middleware import Turn, describe, say
from bot.plugin import Handler
from bot.registry import Registry
from database import db, is_outage

log = logging.getLogger(__name__)

REGISTER = {"inline_query": "inline", "chosen_inline_result": "chosen_inline"}
"""Update kinds whose name in telebot's register methods is another."""

KILLS = 3
"""How often an update may take the process down before it is set aside."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What dispatch needs for one bot."""

    client: Client
    runtime: Runtime
    telebot: TeleBot
    allowed: Callable[[], bool]


class Dispatch:
    """Runs one update from its raw form to its ledger entry."""

    def __init__(
        self,
        desks: Mapping[int, Desk],
        registry: Registry,
        inbox: Inbox,
        ledger: Ledger,
        conversations: Conversations,
        *,
        switched_on: Callable[[str, int], bool],
        called: Callable[[str], None],
        migrate: Callable[[int, int, int], None],
        stop: threading.Event,
        lost: Callable[[], None],
    ) -> None:
        self.desks = desks
        self.registry = registry
        self.inbox = inbox
        self.ledger = ledger
        self.conversations = conversations
        self.middleware: Callable[[Turn], None] = self.match
        self._on = switched_on
        self._called = called
        self._migrate = migrate
        self._stop = stop
        self._lost = lost
        self._alone = threading.Lock()

    def run(self, item: Item) -> bool:
        """Handle one update and put it into the ledger; False when the process stops first.

        While the lease or the database is away, the update waits here: it is not the plugin's
        fault, and nothing is lost.
        """
        while not self._stop.is_set():
            if not self.desks[item.bot_id].allowed() or not self.ledger.admit(0.5):
                self._stop.wait(0.05)
                continue
            try:
                self.ledger.add(self._handle(item))
                return True
            except Fenced:
                self.ledger.dismiss()
                self._lost()
                return False
            except Settled:
                self.ledger.dismiss()
                if not self.inbox.reload(item):
                    return True
            except Exception as error:
                self.ledger.dismiss()
                if not isinstance(error, Stopping) and not is_outage(error):
                    raise
                log.info("update %s waits: %s", item.update_id, type(error).__name__)
                self._stop.wait(0.2)
            finally:
                if not db.is_closed():
                    db.close()
        return False

    def _handle(self, item: Item) -> Entry:
        if item.state == "replying":
            return self._send_replies(item)
        if not item.recovered:
            return self._turn(item)
        item.recovered = False
        if item.attempts >= KILLS - 1:
            return self._set_aside(item)
        if not item.attempts:
            self.inbox.start(item)
            return self._turn(item)
        return self._try_suspect(item)

    def _try_suspect(self, item: Item) -> Entry:
        """Run an update that was running when the process died, so that the blame is sure.

        Suspects run one at a time, and what they did is committed at once.
        """
        with self._alone:
            self.inbox.start(item)
            entry = self._turn(item)
            with db.atomic():
                self.ledger.commit([entry])
            return entry

    def _set_aside(self, item: Item) -> Entry:
        log.error("update %s ended the process %s times: set aside", item.update_id, KILLS)
        failure = {
            **describe(item),
            "plugin": "",
            "handler": "",
            "error": "ProcessKilled",
            "message": f"The process ended {KILLS} times while this update was handled.",
            "traceback": "",
            "fingerprint": f"killed:{item.bot_id}:{item.update_id}",
            "chat_id": None,
        }
        return Entry(item, "failed", failure=failure)

    def _turn(self, item: Item) -> Entry:
        desk = self.desks[item.bot_id]
        try:
            update = types.Update.de_json(item.update)  # type: ignore[no-untyped-call]
            event = getattr(update, item.kind, None) if item.kind else None
        except Exception as error:  # noqa: BLE001 - telebot raises what it likes
            return self._unreadable(item, error)
        if event is None:
            log.warning("update %s is of an unknown kind, it is kept", item.update_id)
            return Entry(item, "unknown", json.dumps(item.update))
        turn = Turn(item, Context(desk.runtime, update, item.kind, event, item.user))
        event.turn = turn
        self._follow_migration(turn)
        self.middleware(turn)
        if turn.entry is not None:
            return turn.entry
        entry = self._entry(turn)
        if entry.change:
            self.conversations.keep(entry.change)
        return entry

    def _unreadable(self, item: Item, error: Exception) -> Entry:
        """One update that telebot cannot parse: kept as a failure, and the rest goes on."""
        log.warning("update %s cannot be read, it is kept: %s", item.update_id, error)
        failure = {
            **describe(item),
            "plugin": "",
            "handler": "",
            "error": type(error).__name__,
            "message": f"The update cannot be read: {error}"[:1000],
            "traceback": "",
            "fingerprint": f"unreadable:{item.kind}:{type(error).__name__}",
            "chat_id": None,
        }
        return Entry(item, "failed", failure=failure)

    def _entry(self, turn: Turn, state: str = "done", payload: str | None = None) -> Entry:
        """What the turn leaves behind; a failed handler leaves its failure and no effects."""
        counted = turn.item.kind == "message" and turn.outcome != "banned"
        if turn.failure is not None:
            return Entry(turn.item, "failed", None, counted, turn.events, failure=turn.failure)
        effects = turn.ctx.effects
        user_id = turn.user.id if turn.user else None
        events = turn.events + [(name, user_id, data) for name, data in effects.events]
        change = None
        if effects.conversation is not None and turn.ctx.chat and turn.user:
            key = (turn.item.bot_id, turn.ctx.chat.id, turn.user.telegram_id)
            opened = None if effects.conversation is ENDED else effects.conversation
            change = Change(key, opened)
        return Entry(turn.item, state, payload, counted, events, change)

    # The end of the middleware chain: which function gets the update?

    def match(self, turn: Turn) -> None:
        """An open conversation takes what is no command; else telebot matches a handler."""
        if not self._answer_step(turn):
            self.desks[turn.item.bot_id].telebot.process_new_updates([turn.ctx.update])
        if turn.item.kind == "callback_query" and not turn.ctx.effects.answered:
            self._stop_spinner(turn)

    def _answer_step(self, turn: Turn) -> bool:
        ctx = turn.ctx
        if turn.item.kind != "message" or turn.user is None or ctx.chat is None:
            return False
        key = (turn.item.bot_id, ctx.chat.id, turn.user.telegram_id)
        opened = self.conversations.get(key)
        if ctx.command == "cancel" and "cancel" not in self.registry.commands:
            ctx.effects.conversation = ENDED if opened else None
            turn.outcome = "ok"
            say(turn, "Cancelled." if opened else "Nothing to cancel.")
            return True
        step = self.registry.steps.get(opened.step) if opened and ctx.command is None else None
        if opened is None or step is None or not self._on(step.plugin, ctx.chat.id):
            return False
        ctx.state = opened.data
        ctx.effects.conversation = ENDED
        self.call(turn, step)
        return True

    def call(self, turn: Turn, handler: Handler) -> None:
        """Run a plugin's function; its returned text is the reply."""
        turn.handler = turn.ctx.handler = handler
        if handler.role and not _may(turn, handler):
            turn.outcome = "denied"
            return say(turn, "You may not use this command.")
        if handler.atomic:
            return self._call_atomic(turn, handler)
        reply = handler.func(turn.ctx)
        if isinstance(reply, str) and reply:
            turn.ctx.send_text(reply)
        turn.outcome = "ok"

    def _call_atomic(self, turn: Turn, handler: Handler) -> None:
        """Writes and bookkeeping in one transaction; what the handler sends goes out after it.

        The calls stay in the inbox until they are sent, so that a crash in between loses none.
        """
        ctx, client = turn.ctx, turn.ctx.caller
        before, update = replace(ctx.effects, events=list(ctx.effects.events)), turn.item.update
        outbox = Outbox(self.desks[turn.item.bot_id].client)
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
                entry = self._entry(turn, "replying", json.dumps(turn.item.update))
                if not self.ledger.commit([entry]):
                    raise Settled
        except BaseException:
            ctx.effects, turn.item.update = before, update
            if turn.user is not None:
                self.inbox.people.forget(turn.user.telegram_id)
            raise
        finally:
            ctx.caller = client
        if entry.change:
            self.conversations.keep(entry.change)
        turn.item.state = "replying"
        turn.entry = self._send_replies(turn.item)

    def _send_replies(self, item: Item) -> Entry:
        """Send what an atomic handler left; a call that Telegram refuses does not stop the rest."""
        client = self.desks[item.bot_id].client
        for method, params in item.update["calls"]:
            try:
                client.call(method, params)
            except ApiTelegramException as error:
                log.warning("%s after %s was refused: %s", method, item.update["handler"], error)
        return Entry(item)

    def _stop_spinner(self, turn: Turn) -> None:
        """Answer a button that its handler left unanswered; it may be too late, which is fine."""
        if turn.entry is None:
            try:
                turn.ctx.answer()
            except ApiTelegramException as error:
                log.debug("a button could not be answered: %s", error)

    def _follow_migration(self, turn: Turn) -> None:
        new = getattr(turn.ctx.event, "migrate_to_chat_id", None)
        if turn.item.kind == "message" and new and turn.ctx.chat:
            self._migrate(turn.item.bot_id, turn.ctx.chat.id, new)
            self.conversations.move(turn.item.bot_id, turn.ctx.chat.id, new)

    # Binding: each declared handler becomes one of telebot's.

    def bind(self, telebot: TeleBot) -> None:
        """Register every handler with telebot: commands by one look-up, those said last at last."""
        telebot.register_message_handler(
            self._run_command, content_types=["text"], func=self._finds_command
        )
        handlers = [h for plugin in self.registry.plugins.values() for h in plugin.handlers]
        for handler in sorted(handlers, key=lambda handler: handler.last):
            if handler.command is None:
                self._bind(telebot, handler)

    def _bind(self, telebot: TeleBot, handler: Handler) -> None:
        register = getattr(telebot, f"register_{REGISTER.get(handler.kind, handler.kind)}_handler")
        filters = {k: v for k, v in handler.filters.items() if k not in ("func", "data")}
        register(self._runner(handler), func=self._filter(handler), **filters)

    def _runner(self, handler: Handler) -> Callable[[Any], None]:
        return lambda event: self.call(event.turn, handler)

    def _filter(self, handler: Handler) -> Callable[[Any], bool]:
        """The plugin is on in this chat, the button is its own, and its own filter agrees."""
        wanted, prefix = handler.filters.get("func"), handler.filters.get("data")

        def test(event: Any) -> bool:
            turn: Turn = event.turn
            ctx = turn.ctx
            if not self._on(handler.plugin, ctx.chat.id if ctx.chat else 0):
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
        return handler is not None and self._on(handler.plugin, chat.id if chat else 0)

    def _run_command(self, event: Any) -> None:
        name = event.turn.ctx.command
        self._called(name)
        self.call(event.turn, self.registry.commands[name])


def _may(turn: Turn, handler: Handler) -> bool:
    return turn.user is not None and handler.role is not None and turn.user.role >= handler.role
