"""The retries: when calls that failed come again, alone and all together."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from bot.pace import Pace

T = TypeVar("T")

LONGEST = 4.0
"""Seconds that one call waits at most by its own count: an outage's end is noticed soon."""
RATE = 1.5
"""Retries a second of all calls together, while none gets an answer."""
BURST = 3
GLANCE = 0.2
"""Seconds after which a waiting call looks whether another one got an answer."""


class Retries:
    """Spaces the retries of one bot.

    Each call doubles its own waits. While no call is answered, all retries together keep a pace
    too, so that many waiting calls do not hammer at a Telegram that is out of order; the first
    answer that one of them gets lets the others go.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._pace = Pace(RATE, BURST)
        self._answers = 0
        self._noticed = 0

    def answered(self, result: T) -> T:
        """Note that a call was answered; gives its result back."""
        self._answers += 1  # what two threads add at once may count as one: any change will do
        return result

    def pause(self, failures: int, chance: float, wait: Callable[[float], bool]) -> bool:
        """Wait until a call may be made again; True when `wait(seconds)` said to give up."""
        own = min(LONGEST, 0.2 * 2.0 ** min(failures - 1, 10)) * (0.5 + 0.5 * chance)
        before = self._answers
        slot = self._reserve(self._clock() + own)
        if wait(own):
            return True
        while (left := slot - self._clock()) > 0 and self._answers == before:
            if wait(min(left, GLANCE)):
                return True
        return False

    def _reserve(self, ready: float) -> float:
        with self._lock:
            if self._answers != self._noticed:
                self._noticed, self._pace = self._answers, Pace(RATE, BURST)
            slot = self._pace.due(ready)
            self._pace.take(slot)
            return slot
