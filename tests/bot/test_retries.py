"""The retries: many calls that fail keep one pace, and go together once one is answered."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from bot.retries import BURST, RATE, Retries

CALLS = 32
LASTS = 1.0


class Restless(Retries):
    """The control: each call thinks of itself alone."""

    def _reserve(self, ready: float) -> float:
        return ready


def hammer(retries: Retries, stop: threading.Event) -> Callable[[], int]:
    """Let many calls fail at once until the stop; gives how often they were made again."""
    tries: list[float] = []

    def call() -> None:
        failures = 1
        while not retries.pause(failures, 0.5, stop.wait):
            tries.append(time.monotonic())
            failures += 1

    threads = [threading.Thread(target=call) for _ in range(CALLS)]
    for thread in threads:
        thread.start()

    def count() -> int:
        for thread in threads:
            thread.join()
        return len(tries)

    return count


def failing(retries: Retries) -> int:
    """How often calls that all fail are made again within a second."""
    stop = threading.Event()
    count = hammer(retries, stop)
    stop.wait(LASTS)
    stop.set()
    return count()


def test_all_retries_together_keep_a_pace() -> None:
    """Thirty-two calls that fail are made again a few times at once and then by the pace."""
    assert failing(Retries(time.monotonic)) <= BURST + LASTS * RATE + 1


def test_control_without_the_pace_hammers() -> None:
    """Each call for itself comes twice in that second."""
    assert failing(Restless(time.monotonic)) >= CALLS


def test_an_answer_lets_the_others_go() -> None:
    """Once a call is answered, the others do not wait for their turn, which is far."""
    retries, stop = Retries(time.monotonic), threading.Event()
    done = [threading.Event() for _ in range(CALLS)]

    def call(mine: threading.Event) -> None:
        assert not retries.pause(1, 0.5, stop.wait)
        mine.set()

    for mine in done:
        threading.Thread(target=call, args=(mine,), daemon=True).start()
    assert not all(mine.wait(0.02) for mine in done)
    assert retries.answered(5) == 5
    assert all(mine.wait(2) for mine in done)
