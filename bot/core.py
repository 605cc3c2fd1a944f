"""The core: every part of the bot put together, with no thread started."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter

import redis
from telebot import TeleBot

from bot import middleware
from bot.breaker import Breaker
from bot.client import Client
from bot.context import Runtime
from bot.control import Control
from bot.conversations import Conversations
from bot.courier import Courier
from bot.crew import Crew
from bot.dispatch import REGISTER, Dispatch
from bot.heed import Heed
from bot.hooks import HookError
from bot.i18n import Catalogues
from bot.inbox import Inbox, Item
from bot.lanes import Lanes
from bot.lease import Lease
from bot.ledger import Ledger
from bot.limits import Limits
from bot.menu import Menu
from bot.metrics import Metrics
from bot.moving import move_chat
from bot.notices import Delivery
from bot.oblivion import Oblivion
from bot.polling import Poller
from bot.postman import Postman
from bot.registry import Registry
from bot.rules import KINDS
from bot.throttle import Throttle
from bot.turns import Desk, Turns
from bot.wire import Wire
from database import current, now, unix
from models import Bot
from services import reloads
from services.cache import Cache
from services.chats import Chats
from services.plugins import Preferences, Switches
from services.takeovers import Takeovers
from services.users import People
from settings import Secret, Settings

log = logging.getLogger(__name__)

ALWAYS = ("message", "callback_query", "my_chat_member")
"""Kinds that the core itself needs, whatever the plugins listen to."""

RECEIVED = attrgetter("received")
IN_MEMORY = 1000
"""How many updates are in memory before the poller waits."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What the core is given: the outside world, and how to end."""

    settings: Settings
    registry: Registry
    wire: Wire
    cache: Cache
    catalogues: Catalogues
    switches: Switches
    preferences: Preferences
    metrics: Metrics = field(default_factory=Metrics)
    courier: Courier = field(default_factory=Courier)
    stop: threading.Event = field(default_factory=threading.Event)
    """Set to begin nothing new."""
    abandon: threading.Event = field(default_factory=threading.Event)
    """Set to give up what still runs: its updates stay in the inbox."""
    lost: Callable[[], None] = lambda: None
    store: redis.Redis | None = None
    clock: Callable[[], datetime] = now
    timer: Callable[[], float] = time.monotonic
    """Measures the pauses of calls and of people."""
    wait: Callable[[float], bool] | None = None
    """Passes those pauses, and says whether to give up; by default it waits for `abandon`."""
    lease: Callable[[str], Lease] = lambda name: Lease(name)  # noqa: PLW0108  tests swap Lease


@dataclass(slots=True)
class Seat:
    """One bot of the process: its client, its lease and its poller."""

    client: Client
    lease: Lease
    poller: Poller
    runtime: Runtime
    menu: Menu
    led: bool = False
    refused: bool = False
    """Whether Telegram refuses the token: the other bots go on without this one."""

    @property
    def bot_id(self) -> int:
        """Telegram's id of the bot."""
        return self.client.bot_id


class Core:
    """The path of an update from the wire to the ledger, for all bots of the process."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        settings, local = parts.settings, current().local
        self.leases: dict[int, Lease] = {}
        self.breaker = Breaker(clock=parts.clock, timer=parts.timer)
        people = People(settings.owner_ids, settings.default_language)
        self.inbox = Inbox(people, Chats(), leases=self.leases, clock=parts.clock)
        self.conversations = Conversations(clock=parts.clock)
        limit, share = room(settings.threads)
        self.lanes = Lanes(
            self._run, self.inbox.load, limit=limit, lane_limit=share, ring=self._ring
        )
        self.ledger = Ledger(
            self.leases,
            slots=settings.threads,
            committed=self._committed,
            clock=parts.clock,
        )
        self.desks: dict[int, Desk] = {}
        self.throttle = self._throttle()
        self.takeovers = Takeovers()
        self.oblivion = Oblivion(people, self.conversations, self.throttle, parts.cache)
        self.heed = Heed(people, self.conversations)
        self.dispatch = self._dispatch()
        self.turns = self._turns()
        self.crew = Crew(
            self.lanes,
            self.ledger,
            parts.courier,
            stop=parts.stop,
            abandon=parts.abandon,
            local=local,
        )
        self.turns.advance, self.turns.send_on = self.lanes.advance, self.crew.send_on
        self.seats = [self._seat(token) for token in settings.bots]
        self.notices = Delivery(parts.clock, parts.stop.wait, any_bot=self.seats[0].client)
        self.postman = Postman(self.leases, parts.stop.wait, parts.metrics)

    def step(self, timeout: int = 0) -> int:
        """Fetch once for each bot, handle all that came, and commit; give the number of updates.

        What the threads of a process do side by side, once and in turn.
        """
        count = sum(seat.poller.step(timeout) for seat in self.seats)
        while self.crew.step():
            self.ledger.flush()
        self.ledger.flush()
        return count

    def leads(self) -> bool:
        """Whether this process acts for a bot now."""
        return any(seat.led and seat.lease.valid() for seat in self.seats)

    def last_poll(self) -> float:
        """Unix time of the last good fetch, of the bot that has waited longest; 0 for never."""
        ours = [seat for seat in self.seats if seat.led or seat.lease.valid()]
        return min((seat.poller.polled for seat in ours), default=0.0)

    def lead(self, seat: Seat) -> None:
        """Begin to act for a bot whose lease was taken: pick up what the last holder left."""
        if row := Bot.get_or_none(Bot.id == seat.bot_id):
            seat.runtime.username = row.username
        self.conversations.load(seat.bot_id)
        self.takeovers.refresh()
        left = self.inbox.waiting(seat.bot_id)
        self.turns.quarantine.doubt(left)
        self.lanes.wake(left)
        reloads.accept(seat.lease.name)
        seat.led = True
        name = f"@{seat.runtime.username}" if seat.runtime.username else str(seat.bot_id)
        log.info("this process acts for the bot %s now", name)

    def _introduce(self, client: Client, runtime: Runtime) -> None:
        """Learn the bot's name from Telegram and keep it."""
        me = client.call("getMe")
        runtime.username = me.get("username") or ""
        at = self.parts.clock()
        row = {"username": runtime.username, "name": me.get("first_name") or ""}
        Bot.insert(id=client.bot_id, created_at=at, updated_at=at, **row).on_conflict(
            conflict_target=[Bot.id], preserve=[Bot.username, Bot.name, Bot.updated_at]
        ).execute()

    def notify(self, text: str) -> None:
        """Tell the owners, as the first bot; a failure is only logged."""
        client = self.seats[0].client
        for owner in sorted(self.parts.settings.owner_ids):
            try:
                client.call("sendMessage", {"chat_id": owner, "text": text})
            except Exception as error:  # noqa: BLE001 - whatever it is, the owners' chat is not worth more
                log.warning("owner %s could not be told: %s", owner, type(error).__name__)

    def _run(self, item: Item) -> bool:
        return self.turns.run(item)

    def _ring(self) -> None:
        self.crew.ring()

    def _committed(self, items: Sequence[Item]) -> None:
        self.parts.metrics.finished(map(RECEIVED, items), self.parts.clock())
        self.lanes.release(items)
        self.crew.ring()

    def _dispatch(self) -> Dispatch:
        parts = self.parts
        return Dispatch(
            parts.registry,
            self.ledger,
            self.conversations,
            self.inbox.people,
            self.breaker,
            called=parts.metrics.command,
            let_go=self.oblivion.let_go,
        )

    def _turns(self) -> Turns:
        parts = self.parts
        guard = middleware.guard(parts.metrics, self.notify, self.breaker, clock=parts.clock)
        return Turns(
            self.desks,
            self.inbox,
            self.ledger,
            self.conversations,
            through=self._chain(guard),
            send=middleware.chain([guard], middleware.send),
            record=middleware.record(parts.metrics),
            migrate=self._migrate,
            stop=parts.stop,
            lost=parts.lost,
            clock=parts.timer,
        )

    def _migrate(self, bot_id: int, old: int, new: int) -> list[HookError]:
        failed = move_chat(self.parts.registry, self.parts.switches, bot_id, old, new)
        self.takeovers.refresh()
        return failed

    def _chain(self, guard: middleware.Middleware) -> middleware.Step:
        return middleware.chain(
            [
                guard,
                middleware.know,
                middleware.refuse_banned,
                middleware.hush(self.takeovers),
                middleware.limit(self.throttle, unix(self.parts.clock)),
            ],
            self.dispatch.match,
        )

    def _throttle(self) -> Throttle:
        rate, burst = self.parts.settings.throttle_rate, self.parts.settings.throttle_burst
        return Throttle(rate, burst, clock=self.parts.timer, store=self.parts.store)

    def _seat(self, token: Secret) -> Seat:
        parts, settings = self.parts, self.parts.settings
        bot_id = int(token.reveal().partition(":")[0])
        lease = self.leases[bot_id] = parts.lease(f"poller:{bot_id}")
        rates = (settings.send_rate, settings.send_rate_chat, settings.send_rate_group)
        client = Client(
            bot_id,
            token,
            parts.wire,
            Limits(*rates, clock=parts.timer),
            parts.metrics,
            clock=parts.timer,
            wait=parts.wait,
            stop=parts.abandon,
            allowed=lease.valid,
            courier=parts.courier,
            halt=self.breaker.halt,
        )
        runtime = self._runtime(client)
        self.dispatch.bind(client.telebot)
        self.desks[bot_id] = Desk(client, runtime, lease)
        poller = Poller(
            client,
            self.inbox,
            self.lanes,
            kinds=kinds_of(client.telebot),
            threads=settings.threads,
            received=self._received,
            allowed=lease.valid,
            prepare=lambda: self._introduce(client, runtime),
            perform=self.crew.perform,
        )
        menu = Menu(parts.registry, parts.catalogues)
        runtime.tell_menu = menu.tell
        return Seat(client, lease, poller, runtime, menu)

    def _runtime(self, client: Client) -> Runtime:
        parts = self.parts
        return Runtime(
            caller=client,
            bot_id=client.bot_id,
            username="",
            catalogues=parts.catalogues,
            default_language=parts.settings.default_language,
            owner_ids=parts.settings.owner_ids,
            registry=parts.registry,
            cache=parts.cache,
            clock=parts.clock,
            plugins=Control(parts.registry, parts.switches, parts.preferences, self.breaker),
            panel_url=parts.settings.admin_url,
        )

    def _received(self, kinds: list[str], duplicates: int) -> None:
        for kind, count in Counter(kinds).items():
            self.parts.metrics.received(kind, count)
        self.parts.metrics.updates_duplicate.inc(duplicates)


def room(threads: int) -> tuple[int, int]:
    """How many updates may be in memory, and how many of one lane.

    As many chats as there are threads but one may sleep on full lanes: that does not fill it.
    """
    limit = max(IN_MEMORY, 16 * threads)
    return limit, max(1, min(100, limit // threads - 2))


def kinds_of(telebot: TeleBot) -> list[str]:
    """The kinds of update that Telegram is asked for: the core's own and those with handlers."""
    handled = (k for k in KINDS if getattr(telebot, f"{REGISTER.get(k, k)}_handlers", None))
    return sorted({*ALWAYS, *handled})
