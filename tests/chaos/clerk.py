"""The clerk: what becomes of each call, by Telegram's limits and by a plan of faults."""

from __future__ import annotations

import itertools
import json
import math
import random
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

BURST = 3
"""How many messages a chat takes at once."""

CROSSING = 0.25
"""Seconds within which a call may have left before anybody could know of a 429 for all."""

DOUBTS = ("cut before", "cut after", "500 before", "500 after")
"""Faults after which the sender cannot know whether its message was taken."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What Telegram takes: messages a second, a second in one chat, a minute in one group."""

    rate: int = 30
    chat: int = 1
    group: int = 20


@dataclass(frozen=True, slots=True)
class Call:
    """One call as it came: over which connection, and when its first byte was there."""

    connection: int
    arrived: float
    method: str
    chat: str
    text: str


@dataclass(slots=True)
class Window:
    """A 429 for one chat or (None) for all: nothing may come for so many seconds once it is told.

    A call that arrived before the answer was written is no violation. Of a window for all, one
    call of each other connection may still cross it on the way; it is counted as crossing. What
    comes later is inside, even if it comes to find out whether the window is for all.
    """

    chat: str | None
    seconds: int
    until: float
    """When calls are let through again; what was told may be up to a second more."""
    refused: int
    """The connection that was told."""
    event: int
    """The refusal that began it: those who are refused within a window are told it again."""
    told: float = math.inf
    crossed: set[int] = field(default_factory=set)

    def holds(self, call: Call, now: float) -> bool:
        """Whether a call that is looked at now is refused for this window."""
        return self.chat in (None, call.chat) and now < self.until

    def judge(self, call: Call) -> str:
        """`inside`, `crossing`, or nothing."""
        if self.chat not in (None, call.chat):
            return ""
        if not self.told < call.arrived < self.told + self.seconds:
            return ""
        known = call.connection in self.crossed or call.connection == self.refused
        self.crossed.add(call.connection)
        late = call.arrived - self.told > CROSSING
        return "inside" if self.chat is not None or known or late else "crossing"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer to a call, how the connection is cut, and the window that the answer tells."""

    status: int
    body: dict[str, Any]
    cut: bool = False
    window: Window | None = None


Plan = Callable[[Call], str]
"""Which fault a message has: one of DOUBTS, `429 <seconds>`, `429 <seconds> all`, or none."""


class Clerk:
    """Keeps every message that was taken, and everything that should not have come."""

    def __init__(self, limits: Limits, clock: Callable[[], float]) -> None:
        self.limits = limits
        self.plan: Plan = lambda call: ""
        self.clock = clock
        self.taken: list[tuple[float, str, str]] = []
        """Every message that had its effect: when, chat, text."""
        self.tries = 0
        self.refused: list[Window] = []
        self.over = 0
        """How many messages came faster than the limits."""
        self.inside: list[tuple[Window, Call]] = []
        self.crossing: list[tuple[Window, Call]] = []
        self.doubts: list[str] = []
        self._windows: deque[Window] = deque()
        self._all: deque[float] = deque(maxlen=limits.rate)
        self._groups: defaultdict[str, deque[float]] = defaultdict(
            lambda: deque(maxlen=limits.group)
        )
        self._due: dict[str, float] = {}

    def judge(self, call: Call) -> Verdict:
        """Decide a call: windows first, then the planned fault, the limits, and the effect."""
        now = self.clock()
        if window := self._window(call, now):
            return self._refuse(call, window.chat, window.until - now, now, window.event)
        if call.method == "getUpdates":
            return _fine([])
        if call.method != "sendMessage":
            me = {"id": 1, "is_bot": True, "first_name": "Bot", "username": "chaos_bot"}
            return _fine(me if call.method == "getMe" else True)
        self.tries += 1
        fault = self.plan(call)
        if fault.startswith("429"):
            _, seconds, *scope = fault.split()
            return self._refuse(call, None if scope else call.chat, float(seconds), now)
        if fault in DOUBTS:
            self.doubts.append(fault)
        if fault.endswith("before"):
            return Verdict(500, _error(500, "Internal Server Error"), cut=fault.startswith("cut"))
        if not fault and (excess := self._excess(call, now)):
            self.over += 1
            return self._refuse(call, *excess, now)
        self._take(call, now)
        if fault:
            return Verdict(500, _error(500, "Internal Server Error"), cut=fault.startswith("cut"))
        return _fine(_message(call, len(self.taken)))

    def _window(self, call: Call, now: float) -> Window | None:
        """The window that refuses a call; a call that should not have come is noted."""
        while self._windows and now > self._windows[0].until + 60:
            self._windows.popleft()
        judged = [(window.judge(call), window) for window in self._windows]
        for verdict, notes in (("inside", self.inside), ("crossing", self.crossing)):
            if found := [window for seen, window in judged if seen == verdict]:
                notes.append((found[0], call))
                break
        holding = [window for window in self._windows if window.holds(call, now)]
        return max(holding, key=lambda window: window.until, default=None)

    def _refuse(
        self, call: Call, chat: str | None, left: float, now: float, event: int = -1
    ) -> Verdict:
        seconds, number = max(1, math.ceil(left)), len(self.refused)
        window = Window(chat, seconds, now + left, call.connection, event if event >= 0 else number)
        self._windows.append(window)
        self.refused.append(window)
        body = _error(429, f"Too Many Requests: retry after {seconds}")
        return Verdict(429, {**body, "parameters": {"retry_after": seconds}}, window=window)

    def _excess(self, call: Call, now: float) -> tuple[str | None, float] | None:
        """Whom a message that came too fast closes a window for, and for how long."""
        if len(self._all) == self.limits.rate and now < self._all[0] + 1:
            return None, 1.0
        early = self._due.get(call.chat, now) - (BURST - 1) / self.limits.chat - now
        if early > 0:
            return call.chat, early
        group = self._groups[call.chat] if call.chat.startswith("-") else deque[float](maxlen=0)
        if group and len(group) == self.limits.group and now < group[0] + 60:
            return call.chat, group[0] + 60 - now
        return None

    def _take(self, call: Call, now: float) -> None:
        self.taken.append((now, call.chat, call.text))
        self._all.append(now)
        self._due[call.chat] = max(self._due.get(call.chat, now), now) + 1 / self.limits.chat
        if call.chat.startswith("-"):
            self._groups[call.chat].append(now)


def scheme(
    seed: int,
    shares: Mapping[str, float],
    *,
    first: Mapping[int, str] | None = None,
    nth: Mapping[int, str] | None = None,
) -> Plan:
    """A plan: `first` for the first message of a chat, `nth` by number, the rest in shares.

    No message has more than three faults, for a sender may give up at the fifth.
    """
    dice = random.Random(seed)
    chats = {str(chat): fault for chat, fault in (first or {}).items()}
    numbers, had = itertools.count(1), Counter[tuple[str, str]]()

    def share() -> str:
        point = dice.random()
        for fault, part in shares.items():
            if point < part:
                return fault
            point -= part
        return ""

    def plan(call: Call) -> str:
        fault, number = share(), next(numbers)
        fault = chats.pop(call.chat, "") or (nth or {}).get(number, "") or fault
        had[call.chat, call.text] += bool(fault)
        return fault if had[call.chat, call.text] <= 3 else ""

    return plan


def _fine(result: object) -> Verdict:
    return Verdict(200, {"ok": True, "result": result})


def _error(code: int, text: str) -> dict[str, Any]:
    return {"ok": False, "error_code": code, "description": text}


def _message(call: Call, number: int) -> dict[str, Any]:
    kind = "supergroup" if call.chat.startswith("-") else "private"
    chat = {"id": json.loads(call.chat), "type": kind}
    return {"message_id": number, "date": 1, "chat": chat, "text": call.text}
