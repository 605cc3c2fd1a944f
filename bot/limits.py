"""The limits: when the next call to Telegram may go out, by its own pace and by Telegram's word."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

MARGIN = 0.05
"""Seconds added to every window: calls take unequal time to reach Telegram."""

BURST = 3
"""How many messages one chat may get at once before the pace is kept."""

MAKES = ("send", "copy", "forward", "editMessage", "editEphemeralMessage")
"""How the names of the methods begin that make or change a message."""

TOGETHER = 1.5
"""Two chats refused within so many seconds: the refusal is for all."""

GLANCE = 0.01
"""Seconds after which a caller behind another one looks again."""


class Pace:
    """At most one a `1 / rate` seconds, `burst` of them at once."""

    def __init__(self, rate: float, burst: int) -> None:
        self.step = 1 / rate
        self.slack = (burst - 1) * self.step
        self.next = float("-inf")

    def due(self, now: float) -> float:
        """The earliest time at which one more may go."""
        return max(now, self.next - self.slack)

    def take(self, now: float) -> None:
        """One goes at `now`."""
        self.next = max(self.next, now) + self.step


class Window:
    """At most `count` in any stretch of `seconds`."""

    def __init__(self, count: int, seconds: float) -> None:
        self.seconds = seconds + MARGIN
        self.times: deque[float] = deque([float("-inf")] * count, maxlen=count)

    def due(self, now: float) -> float:
        """The earliest time at which one more may go."""
        return max(now, self.times[0] + self.seconds)

    def take(self, now: float) -> None:
        """One goes at `now`, which may be a time reserved in the future."""
        self.times.append(now)

    def recent(self, now: float) -> int:
        """How many went in the last stretch."""
        return sum(time > now - self.seconds for time in self.times)

    def spread(self, until: float) -> None:
        """Nothing new before `until`, and from then on evenly instead of all at once."""
        count = len(self.times)
        step = self.seconds / count
        first = max(until, self.times[-1]) - self.seconds
        self.times.extend([first + step * number for number in range(count)])


class Chat:
    """What is known of one chat: its pace, its pause, and the callers in their order."""

    def __init__(self, gates: list[Pace | Window]) -> None:
        self.gates = gates
        self.paused = float("-inf")
        self.used = float("-inf")
        self.turns: deque[Turn] = deque()

    def due(self, now: float) -> float:
        """The earliest time at which this chat may get one more message."""
        return max([now, self.paused, *(gate.due(now) for gate in self.gates)])

    def take(self, now: float) -> None:
        """One message goes to the chat at `now`."""
        self.used = now
        for gate in self.gates:
            gate.take(now)


class Turn:
    """One call's place in the order; it keeps the place over refusals until it leaves."""

    def __init__(self, limits: Limits, chat: Chat | None, paced: bool) -> None:
        self.chat = chat
        self.paced = paced
        self.slot: float | None = None
        self._limits = limits

    def wait(self, wait: Callable[[float], bool]) -> bool:
        """Wait until the call may go; False when `wait(seconds)` said to give up."""
        return self._limits.admit(self, wait)

    def leave(self) -> None:
        """The call is over: the next one of its chat may go."""
        self._limits.leave(self)


class Limits:
    """The limits of one bot.

    Messages made or changed in a chat keep a pace of their own: `rate` a second over all chats,
    `chat_rate` a second in one chat (a few at once), `group_rate` a minute in a group. Other
    methods only obey pauses. A rate of 0 turns its limit off.

    A pause is Telegram's `retry_after`: nothing goes out within it, to the chat or at all.
    Telegram does not say which it means, so `refused` decides by what was sent. For all: a method
    that names no chat; a refusal while the last second was as full as the global rate allows; two
    chats refused within a moment. Else for the chat.

    Calls of one chat that wait go in the order in which they came, one after the other, and a
    refused call keeps its place.
    """

    def __init__(
        self,
        rate: float = 30,
        chat_rate: float = 1,
        group_rate: float = 20,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._all = _window(rate, 1.0) if rate else None
        self._chat_rate = chat_rate
        self._group_rate = group_rate
        self._pacing = bool(rate or chat_rate or group_rate)
        self._memory = max(60.0, BURST / chat_rate if chat_rate else 0.0) + MARGIN
        self._clock = clock
        self._lock = threading.Lock()
        self._chats: dict[str, Chat] = {}
        self._sweep_at = 1024
        self._paused = float("-inf")
        self._pausing = False
        self._pauses_end = float("-inf")
        self._last_refusal: tuple[str, float] = ("", float("-inf"))

    def turn(self, method: str, chat_id: object = None) -> Turn | None:
        """The place of a call in the order; None when nothing can hold it back."""
        if self._pausing or (self._pacing and chat_id is not None and makes_message(method)):
            return self.stand(method, chat_id)
        return None

    def stand(self, method: str, chat_id: object = None) -> Turn:
        """Like `turn`, but always a place: for a call that was refused."""
        if chat_id is None:
            return Turn(self, None, False)
        with self._lock:
            chat = self._chat(str(chat_id))
            turn = Turn(self, chat, self._pacing and makes_message(method))
            chat.turns.append(turn)
        return turn

    def leave(self, turn: Turn) -> None:
        """The turn's call is over: the next one of its chat may go."""
        if turn.chat is not None:
            with self._lock:
                turn.chat.turns.remove(turn)

    def pause(self, chat_id: object, seconds: float) -> None:
        """No call for so many seconds, to this chat or (None) at all."""
        with self._lock:
            until = self._clock() + seconds
            self._pauses_end = max(self._pauses_end, until)
            self._pausing = True
            if chat_id is not None:
                chat = self._chat(str(chat_id))
                chat.paused = max(chat.paused, until)
            elif until > self._paused:
                self._paused = until
                if self._all is not None:
                    self._all.spread(until)

    def refused(self, chat_id: object, seconds: float) -> str:
        """Take in a 429 with its `retry_after`; gives its scope, `chat` or `all`."""
        for_all = chat_id is None or self._is_for_all(str(chat_id))
        self.pause(None if for_all else chat_id, seconds)
        return "all" if for_all else "chat"

    def _is_for_all(self, name: str) -> bool:
        with self._lock:
            now = self._clock()
            other, then = self._last_refusal
            self._last_refusal = (name, now)
            if other not in ("", name) and now - then <= TOGETHER:
                return True
            return self._all is not None and self._all.recent(now) >= 0.9 * len(self._all.times)

    def admit(self, turn: Turn, wait: Callable[[float], bool]) -> bool:
        """Wait until this turn may go; False when `wait(seconds)` said to give up."""
        while True:
            with self._lock:
                delay = self._delay(turn, self._clock())
            if delay <= 0:
                return True
            if wait(delay):
                return False

    def _delay(self, turn: Turn, now: float) -> float:
        """Seconds until the turn may go; 0 lets it go and counts it. Called under the lock."""
        chat = turn.chat
        ready = max(now, self._paused)
        if chat is not None:
            ready = max(ready, chat.due(now) if turn.paced else chat.paused)
        if ready > now:
            turn.slot = None
            return ready - now
        if chat is not None and chat.turns[0] is not turn:
            return GLANCE
        if turn.paced and self._all is not None:
            if turn.slot is None:
                turn.slot = self._all.due(now)
                self._all.take(turn.slot)
            if turn.slot > now:
                return turn.slot - now
            turn.slot = None
        if turn.paced and chat is not None:
            chat.take(now)
        self._pausing = self._pauses_end > now
        return 0.0

    def _chat(self, name: str) -> Chat:
        chat = self._chats.get(name)
        if chat is None:
            if len(self._chats) >= self._sweep_at:
                self._sweep(self._clock())
            chat = self._chats[name] = Chat(self._gates(name))
        return chat

    def _gates(self, name: str) -> list[Pace | Window]:
        gates: list[Pace | Window] = []
        if self._chat_rate:
            gates.append(Pace(self._chat_rate, BURST))
        if self._group_rate and name[:1] in "-@":
            gates.append(_window(self._group_rate, 60.0))
        return gates

    def _sweep(self, now: float) -> None:
        """Drop the chats whose past no longer matters, so that memory stays bounded."""
        oldest = now - self._memory
        for name, chat in list(self._chats.items()):
            if not chat.turns and chat.paused <= now and chat.used <= oldest:
                del self._chats[name]
        self._sweep_at = max(1024, 2 * len(self._chats))


def makes_message(method: str) -> bool:
    """Whether the method makes or changes a message in a chat, which Telegram limits."""
    return method.startswith(MAKES) and method != "sendChatAction"


def _window(rate: float, seconds: float) -> Window:
    """A window for `rate` in so many seconds, which may be a fraction."""
    count = max(1, int(rate))
    return Window(count, seconds * count / rate)
