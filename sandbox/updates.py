"""A bot's queue of updates: offsets, confirmation, long polls, conflicts and expiry."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from itertools import islice
from random import Random

from sandbox.answers import Json, Refused

LONGEST_POLL = 50
REPEAT = 3.0
HURRY = 0.5
DAY = 86_400
LIVES = {
    "callback_query": 150,
    "shipping_query": 150,
    "pre_checkout_query": 150,
    "inline_query": 30,
    "chosen_inline_result": 600,
}
KINDS = frozenset(
    [
        "message",
        "edited_message",
        "channel_post",
        "edited_channel_post",
        "business_connection",
        "business_message",
        "edited_business_message",
        "deleted_business_messages",
        "guest_message",
        "message_reaction",
        "message_reaction_count",
        "inline_query",
        "chosen_inline_result",
        "callback_query",
        "shipping_query",
        "pre_checkout_query",
        "purchased_paid_media",
        "poll",
        "poll_answer",
        "my_chat_member",
        "chat_member",
        "chat_join_request",
        "chat_boost",
        "removed_chat_boost",
        "managed_bot",
        "subscription",
        "stopped_message_generation",
    ]
)
UNASKED = KINDS - {"chat_member", "message_reaction", "message_reaction_count"}
LONGEST_QUEUE = 100_000
OTHER_POLL = (
    "Conflict: terminated by other getUpdates request; "
    "make sure that only one bot instance is running"
)
BY_WEBHOOK = "Conflict: terminated by setWebhook request"
WEBHOOK_SET = (
    "Conflict: can't use getUpdates method while webhook is active; "
    "use deleteWebhook to delete the webhook first"
)

Wait = Callable[[threading.Condition, float], object]


class Timing:
    """The clocks of a queue: `clock` gives dates, `timer` and `wait` run the long polls."""

    __slots__ = ("clock", "timer", "wait")

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        timer: Callable[[], float] = time.monotonic,
        wait: Wait = threading.Condition.wait,
    ) -> None:
        self.clock = clock
        self.timer = timer
        self.wait = wait


class Queue:
    """Updates of one bot, oldest first, until a getUpdates confirms them or they expire."""

    def __init__(self, timing: Timing, random: Random, *, longest: int = LONGEST_QUEUE) -> None:
        self._timing = timing
        self._longest = longest
        self._changed = threading.Condition()
        self._items: deque[tuple[float, Json]] = deque()
        self._soonest = float("inf")
        self._next_id = random.randint(2_000_002, 1_000_000_000)
        self._allowed: frozenset[str] = UNASKED
        self._poll: object | None = None
        self._ended_by = ""
        self._previous = (0, float("-inf"))
        self._conflict_at = float("-inf")
        self.webhook_url = ""
        self.allowed_names: list[str] | None = None

    def __len__(self) -> int:
        with self._changed:
            self._expire()
            return len(self._items)

    def wants(self, kind: str) -> bool:
        """True when the bot asked for updates of this kind, or for none in particular."""
        return kind in self._allowed

    def put(self, kind: str, event: Json) -> Json | None:
        """Queue an update; None when the bot does not want its kind or the queue is full."""
        if not self.wants(kind):
            return None
        return self.force({kind: event})

    def force(self, update: Json) -> Json | None:
        """Queue an update whatever its kind; None when the queue is full."""
        life = next((LIVES[kind] for kind in update if kind in LIVES), DAY)
        with self._changed:
            if len(self._items) >= self._longest:
                return None
            numbered = {"update_id": self._next_id, **update}
            self._next_id += 1
            expires = self._timing.clock() + life
            self._soonest = min(self._soonest, expires)
            self._items.append((expires, numbered))
            self._changed.notify_all()
        return numbered

    def allow(self, names: Iterable[str] | None) -> None:
        """Choose the kinds to queue from now on; None leaves the choice as it was."""
        if names is None:
            return
        chosen = [name for name in names if name in KINDS]
        self.allowed_names = chosen or None
        self._allowed = frozenset(chosen) or UNASKED

    def clear(self) -> None:
        """Forget every update that waits."""
        with self._changed:
            self._items.clear()

    def hook(self, url: str) -> None:
        """Set the webhook's URL, empty for none; a running long poll is ended."""
        with self._changed:
            self.webhook_url = url
            if url:
                self._end_poll(BY_WEBHOOK)

    def get(self, offset: int, limit: int, timeout: int) -> list[Json]:
        """The updates of a getUpdates call; waits up to `timeout` seconds for the first.

        Raises: Refused, a 409 when a webhook is set or another call took this one's place.
        """
        with self._changed:
            if self.webhook_url:
                raise self._conflict(WEBHOOK_SET)
            limit, timeout = self._slow_down(offset, limit, timeout)
            self._confirm(offset)
            self._end_poll(OTHER_POLL)
            if self._ready() or timeout == 0:
                return self._take(limit)
            self._wait(timeout)
            return self._take(limit)

    def _slow_down(self, offset: int, limit: int, timeout: int) -> tuple[int, int]:
        """Telegram's brake on bots that ask the same thing in a hot loop."""
        limit = min(max(limit, 1), 100)
        timeout = min(max(timeout, 0), LONGEST_POLL)
        now = self._timing.timer()
        same, elapsed = offset == self._previous[0], now - self._previous[1]
        self._previous = (offset, now)
        if same and elapsed < HURRY:
            limit = 1
        if same and elapsed < REPEAT and timeout < REPEAT:
            timeout = int(REPEAT)
        return limit, timeout

    def _confirm(self, offset: int) -> None:
        items = self._items
        if offset < 0:
            while len(items) > -offset:
                items.popleft()
            return
        while items and items[0][1]["update_id"] < offset:
            items.popleft()

    def _expire(self) -> None:
        """Drop the expired; those with a short life may stand behind the long-lived."""
        now = self._timing.clock()
        if now < self._soonest:
            return
        self._items = deque(item for item in self._items if item[0] > now)
        self._soonest = min((expires for expires, _ in self._items), default=float("inf"))

    def _ready(self) -> bool:
        self._expire()
        return bool(self._items)

    def _take(self, limit: int) -> list[Json]:
        self._expire()
        return [update for _, update in islice(self._items, limit)]

    def _wait(self, timeout: float) -> None:
        ticket = self._poll = object()
        deadline = self._timing.timer() + timeout
        while not self._ready() and self._poll is ticket:
            left = deadline - self._timing.timer()
            if left <= 0:
                break
            self._timing.wait(self._changed, left)
        if self._poll is not ticket:
            raise self._conflict(self._ended_by)
        self._poll = None

    def _end_poll(self, reason: str) -> None:
        if self._poll is not None:
            self._poll = None
            self._ended_by = reason
            self._changed.notify_all()

    def _conflict(self, text: str) -> Refused:
        """A 409; within 3 s of the one before it is held back for 3 s."""
        now = self._timing.timer()
        if now < self._conflict_at + REPEAT:
            deadline = now + REPEAT
            while (left := deadline - self._timing.timer()) > 0:
                self._timing.wait(self._changed, left)
            return Refused(409, text)
        self._conflict_at = now
        return Refused(409, text)
