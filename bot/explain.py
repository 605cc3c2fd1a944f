"""The explanation: what would decide about an update, step by step, and nothing is done."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from telebot.handler_backends import ContinueHandling

from bot import judges, plain
from bot.breaker import Breaker
from bot.client import Client
from bot.context import Context, Runtime
from bot.conversations import Conversations
from bot.dispatch import Dispatch, conversation_of, may
from bot.i18n import Catalogues
from bot.imagined import Question, SilentWire, item_of
from bot.judges import Station
from bot.ledger import Ledger
from bot.limits import Limits
from bot.metrics import Metrics
from bot.middleware import Turn
from bot.plugin import Handler
from bot.reading import read
from bot.registry import Registry
from bot.throttle import Throttle
from database import now, reading
from models import Bot
from services import plugins
from services.cache import open_cache
from services.takeovers import Takeovers
from services.users import People
from settings import Secret, Settings

__all__ = ["Busy", "Explainer", "Explanation", "Question", "Station"]

PATIENCE = 5.0
"""Seconds to wait for the explanation before this one."""


class Busy(Exception):
    """Another explanation takes long: a filter of a plugin hangs."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """The stations that the update passes; the last one decides when its `decides` is set.

    `outcome` and `handler` are what the log and the metrics would say of the update.
    """

    stations: list[Station]
    outcome: str
    handler: str


class Rehearsal(Dispatch):
    """A dispatch in which a handler that fits is named and does not run."""

    def call(self, turn: Turn, handler: Handler) -> ContinueHandling | None:
        """Note who would be asked, and whether they would be let."""
        turn.handler = turn.ctx.handler = handler
        turn.outcome = "ok"
        if not may(turn, handler):
            turn.outcome = "denied"
        elif self.breaker.holds(handler.plugin):
            turn.outcome = "suspended"
        return None

    def bind_module(self, telebot: Any, name: str) -> None:
        """Let a module register; its functions are named and do not run."""
        module = self.registry.modules[name]
        plain.bind(telebot, name, module, self._runs, self.breaker, wrap=self._name)

    def _name(self, func: Callable[..., Any], plugin: str) -> Callable[..., Any]:
        handler = plain.handler_of(func, plugin)
        return lambda event, *_more, **_words: self.call(event.turn, handler)


class Explainer:
    """Explains updates by the very code that handles them, in a process that need not be a bot.

    `throttle` is the one whose tokens count, where it can be seen from here: the process's own, or
    one in Redis.
    """

    def __init__(
        self,
        registry: Registry,
        settings: Settings,
        *,
        throttle: Throttle | None = None,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self.registry = registry
        self.settings = settings
        self.throttle = throttle
        self.clock = clock
        self.breaker = Breaker(clock=clock)
        self.conversations = Conversations(clock=clock)
        self.takeovers = Takeovers()
        people = People(settings.owner_ids, settings.default_language)
        ledger = Ledger({}, slots=1, committed=lambda items: None)
        parts = (registry, ledger, self.conversations, people, self.breaker)
        self.dispatch = Rehearsal(*parts, called=lambda name: None)
        self._bots: dict[int, tuple[Client, Runtime]] = {}
        self._lock = threading.Lock()

    def explain(self, question: Question) -> Explanation:
        """Say what would become of an update. Raises Busy."""
        if not self._lock.acquire(timeout=PATIENCE):
            raise Busy("Another explanation is not done yet: a filter of a plugin may hang.")
        try:
            with reading():
                self._seat(question.bot_id)
            with reading():
                return self._explain(question)
        finally:
            self._lock.release()

    def _explain(self, question: Question) -> Explanation:
        self.breaker.suspended.clear()
        self.breaker.suspended.update(plugins.suspensions())
        self.takeovers.refresh()
        turn = self._turn(question)
        stations = []
        for station in self._stations(turn):
            stations.append(station)
            if station.decides:
                break
        return Explanation(stations, turn.outcome, turn.label)

    def _stations(self, turn: Turn) -> Iterator[Station]:
        """What the update comes by, in the order of `bot.core` and `bot.dispatch`."""
        at = self.clock()
        yield judges.poller(turn, at)
        if judges.may_be_unheard(turn):
            yield judges.group()
        yield judges.inbox(turn)
        yield judges.person(turn)
        yield judges.ban(turn)
        yield judges.takeover(turn, self.takeovers)
        yield judges.throttle(turn, self.throttle, self.settings, at)
        if (key := conversation_of(turn)) is not None:
            self.conversations.expect(key)
            yield judges.conversation(turn, self.dispatch, self.conversations.get(key))
        if turn.ctx.command or turn.item.kind == "callback_query":
            yield judges.switch(turn, self.registry)
        yield judges.handler(turn, self.dispatch)

    def _turn(self, question: Question) -> Turn:
        client, runtime = self._seat(question.bot_id)
        item = item_of(question, self.settings, self.clock())
        event, update = read(item.update, item.kind)
        ctx = Context(runtime, update or item.update, item.kind, event, item.user)
        turn = event.turn = Turn(item, ctx, client)
        return turn

    def _seat(self, bot_id: int) -> tuple[Client, Runtime]:
        """The bot as plugins see it, all but its voice."""
        if bot_id not in self._bots:
            client = Client(bot_id, Secret(""), SilentWire(), Limits(0, 0, 0), Metrics())
            self.dispatch.bind(client.telebot)
            self._bots[bot_id] = client, self._runtime(client)
        client, runtime = self._bots[bot_id]
        row = Bot.get_or_none(Bot.id == bot_id)
        runtime.username = row.username if row else ""
        return client, runtime

    def _runtime(self, client: Client) -> Runtime:
        return Runtime(
            caller=client,
            bot_id=client.bot_id,
            username="",
            catalogues=Catalogues(()),
            default_language=self.settings.default_language,
            owner_ids=self.settings.owner_ids,
            registry=self.registry,
            cache=open_cache(None),
            clock=self.clock,
        )
