"""The quarantine: which updates may have ended the process, and their turns alone."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from enum import Enum
from random import random as chance

from bot.inbox import Item, LaneKey

KILLS = 3
"""How often an update may take the process down before it is set aside."""
CALM = 10.0
"""Seconds that the process must have lived before an update gets its last chance.

What ends the process again and again from outside is then not put down to whatever ran just now.
"""
HEADS = 3
"""How many updates of a lane may have begun and not been committed at a crash."""


class Judgement(Enum):
    """What is known of an update when its turn comes."""

    FREE = "nothing speaks against it"
    WATCHED = "it may have been running at a crash: its start is written down first"
    SUSPECT = "it began before and was not done: it runs alone, so that the blame is sure"
    GUILTY = "it ended the process too often"


FREE, WATCHED, SUSPECT, GUILTY = Judgement


class Quarantine:
    """Judges updates that a crash left behind.

    `attempts` of an update counts the starts that were written down: an update that begins at
    once is inserted with one, so that in a quiet bot the very first death counts.
    """

    def __init__(
        self,
        *,
        patience: float = 0.1,
        clock: Callable[[], float] = time.monotonic,
        random: Callable[[], float] = chance,
    ) -> None:
        self._patience = patience
        self._clock = clock
        self._random = random
        self._calm_at = clock() + CALM
        self._doubts: dict[LaneKey, int] = {}
        self._turn = threading.Lock()

    def doubt(self, lanes: Iterable[LaneKey]) -> None:
        """Watch the first updates of lanes that the last holder of the lease left behind."""
        self._doubts.update(dict.fromkeys(lanes, HEADS))

    def postpones(self, item: Item) -> float:
        """Seconds until an update may get its last chance; spread, so that not all get it at once.

        0 for any other update, and once the process has lived for a while.
        """
        if item.attempts != KILLS - 1 or not self._doubts.get(item.key):
            return 0.0
        left = self._calm_at - self._clock()
        return left + CALM * self._random() if left > 0 else 0.0

    def judge(self, item: Item) -> Judgement:
        """Say how an update is to be run; called once for each."""
        if not item.recovered or not (left := self._doubts.get(item.key, 0)):
            return FREE
        self._doubts[item.key] = left - 1
        if left == 1:
            del self._doubts[item.key]
        if item.attempts >= KILLS:
            return GUILTY
        return SUSPECT if item.attempts else WATCHED

    @contextmanager
    def alone(self, item: Item) -> Iterator[None]:
        """Let no other suspect begin in the block, or in its first moments when it lasts.

        A process that dies of an update dies at once; a slow one shall not hold up the others.
        """
        once = threading.Lock()

        def give_way() -> None:
            if once.acquire(blocking=False):
                self._turn.release()

        # The last chance decides: there even a slow one is waited for.
        seconds = self._patience * (100 if item.attempts == KILLS - 1 else 1)
        timer = threading.Timer(seconds, give_way)
        timer.daemon = True
        self._turn.acquire()
        try:
            with suppress(RuntimeError, MemoryError):  # then the others wait for it
                timer.start()
            yield
        finally:
            timer.cancel()
            give_way()
