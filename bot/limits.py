"""The limits: when the next call to Telegram may go out, by its own pace and by Telegram's word."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from bot.pace import MARGIN, Flow, Pace, Window, stretch

BURST = 3
"""How many messages one chat may get at once before the pace is kept."""

MAKES = ("send", "copy", "forward", "editMessage", "editEphemeralMessage")
"""How the names of the methods begin that make or change a message."""

PROOF = 3
"""So many chats refused one after the other, with no call that got through: it is for all."""

ROUNDING = 1.5
"""Windows whose ends differ by no more can be the same: Telegram gives whole seconds."""

PATIENCE = 1.5
"""Seconds for which calls wait for the one that shows whom a refusal is for."""

GLANCE = 0.01
"""Seconds after which a caller behind another one looks again."""


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

    def settle(self, now: float) -> None:
        """The message that went last is at Telegram, or on no way any more."""
        self.used = now
        for gate in self.gates:
            gate.settle(now)


class Turn:
    """One call's place in the order; it keeps the place over refusals until it leaves."""

    def __init__(self, limits: Limits, chat: Chat | None, paced: bool) -> None:
        self.chat = chat
        self.paced = paced
        self.slot: float | None = None
        self.went = float("-inf")
        """When the call last went out."""
        self._limits = limits

    def wait(self, wait: Callable[[float], bool]) -> bool:
        """Wait until the call may go; False when `wait(seconds)` said to give up."""
        return self._limits.admit(self, wait)

    def go(self) -> bool:
        """Go now, or not at all: nothing is waited for, and no time reserved."""
        return self._limits.admit_now(self)

    def leave(self) -> None:
        """The call is over: the next one of its chat may go."""
        self._limits.leave(self)


class Doubt:
    """Whether refusals of single chats were for all: Telegram does not say, other calls show it.

    After a refusal one call at a time goes out until one gets through, which shows that others
    are not meant, or until so many chats were told the same window that all are.
    """

    def __init__(self) -> None:
        self._ends: dict[str, float] = {}
        """The chats refused since a call got through, and when their windows end."""
        self._since = float("-inf")
        self._scout: Turn | None = None

    def refuse(self, name: str, chat: Chat, now: float, until: float) -> float | None:
        """One more refusal; gives the end of the window for all once that is proven."""
        self._since = now
        if self._scout is not None and self._scout.chat is chat:
            self._scout = None
        self._ends = {n: end for n, end in self._ends.items() if end > now} | {name: until}
        same = [end for end in self._ends.values() if abs(end - until) <= ROUNDING]
        if len(same) < PROOF:
            return None
        self._ends, self._scout = {}, None
        return max(same)

    def holds(self, turn: Turn, now: float) -> bool:
        """Whether the call waits for what comes of another one."""
        in_time = bool(self._ends) and now < self._since + PATIENCE
        return in_time and self._scout not in (None, turn)

    def send(self, turn: Turn) -> None:
        """The call goes out."""
        if self._ends:
            self._scout = turn

    def see_through(self, turn: Turn) -> None:
        """The call is over and was not refused."""
        if self._scout is turn:
            self._scout = None
        if turn.went > self._since:
            self._ends = {}


class Limits:
    """The limits of one bot.

    Messages made or changed in a chat keep a pace of their own: `rate` a second over all chats,
    `chat_rate` a second in one chat (a few at once), `group_rate` a minute in a group. Other
    methods only obey pauses. A rate of 0 turns its limit off.

    A pause is Telegram's `retry_after`: nothing goes out within it, to the chat or at all.
    Telegram does not say which it means. For all is the refusal of a method that names no chat,
    and that of several chats in a row with no call between them that got through. Else it is for
    the chat.

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
        self._all = Flow(*stretch(rate, 1.0)) if rate else None
        self._chat_rate = chat_rate
        self._group_rate = group_rate
        self._pacing = bool(rate or chat_rate or group_rate)
        slowest = [BURST / chat_rate if chat_rate else 0, 60 / group_rate if group_rate else 0]
        self._memory = max(60.0, *slowest) + MARGIN
        self._clock = clock
        self._lock = threading.Lock()
        self._chats: dict[str, Chat] = {}
        self._sweep_at = 1024
        self._paused = float("-inf")
        self.pausing = False
        """Whether Telegram has asked for a pause, of whom soever, that may not be over."""
        self._pauses_end = float("-inf")
        self._doubt = Doubt()

    def turn(self, method: str, chat_id: object = None) -> Turn | None:
        """The place of a call in the order; None when nothing can hold it back."""
        if self.pausing or (self._pacing and chat_id is not None and makes_message(method)):
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
        """The turn's call is over: the next one of its chat may go. Nothing, the second time."""
        if turn.chat is not None:
            with self._lock:
                if turn not in turn.chat.turns:
                    return
                turn.chat.turns.remove(turn)
                self._settle(turn)
                self._doubt.see_through(turn)

    def pause(self, chat_id: object, seconds: float) -> None:
        """No call for so many seconds, to this chat or (None) at all."""
        with self._lock:
            until = self._clock() + seconds
            self._pauses_end = max(self._pauses_end, until)
            self.pausing = True
            if chat_id is not None:
                chat = self._chat(str(chat_id))
                chat.paused = max(chat.paused, until)
            elif until > self._paused:
                self._paused = until
                if self._all is not None:
                    self._all.spread(until)

    def refused(self, chat_id: object, seconds: float) -> str:
        """Take in a 429 with its `retry_after`; gives its scope, `chat` or `all`."""
        if chat_id is None:
            self.pause(None, seconds)
            return "all"
        name = str(chat_id)
        self.pause(name, seconds)
        with self._lock:
            now = self._clock()
            end = self._doubt.refuse(name, self._chat(name), now, now + seconds)
        if end is None:
            return "chat"
        self.pause(None, end - now)
        return "all"

    def admit(self, turn: Turn, wait: Callable[[float], bool]) -> bool:
        """Wait until this turn may go; False when `wait(seconds)` said to give up."""
        with self._lock:
            self._settle(turn)
        while True:
            with self._lock:
                delay = self._delay(turn, self._clock())
            if delay <= 0:
                return True
            if wait(delay):
                return False

    def admit_now(self, turn: Turn) -> bool:
        """Let this turn go if it may; a time that is not used would be taken from the others."""
        with self._lock:
            now = self._clock()
            full = turn.paced and self._all is not None and self._all.due(now) > now
            return not full and self._delay(turn, now) <= 0

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
        if turn.slot is not None and turn.slot > now:
            return turn.slot - now
        if chat is not None and self._doubt.holds(turn, now):
            turn.slot = None  # those who were held must not leave all at once
            return GLANCE
        if turn.paced and self._all is not None:
            if turn.slot is None:
                turn.slot = self._all.reserve(now)
            if (ready := max(turn.slot, self._all.gone.due(now))) > now:
                return ready - now
            turn.slot = None
        self._go(turn, now)
        return 0.0

    def _go(self, turn: Turn, now: float) -> None:
        turn.went = now
        if turn.chat is not None:
            self._doubt.send(turn)
            if turn.paced:
                turn.chat.take(now)
                if self._all is not None:
                    self._all.gone.take(now)
        self.pausing = self._pauses_end > now

    def _settle(self, turn: Turn) -> None:
        """A message counts from when it was answered: it may have reached Telegram that late."""
        if turn.paced and turn.chat is not None and turn.went > float("-inf"):
            now = self._clock()
            turn.chat.settle(now)
            if self._all is not None:
                self._all.settle(turn.went, now)

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
            gates.append(Window(*stretch(self._group_rate, 60.0)))
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
