"""A pile: what is to be counted waits on it, and is counted when somebody asks or it has grown."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TypeAlias

MOST = 128

Labels: TypeAlias = tuple[str, str]


class Pile:
    """Durations under two labels. An update pays for an append instead of for locks and look-ups.

    `count` gets what waited under some labels; what it fails for is not counted, and the rest is.
    """

    def __init__(self, count: Callable[[Labels, Sequence[float]], None]) -> None:
        self._count = count
        self._waiting: list[tuple[Labels, float]] = []
        self._lock = threading.Lock()

    def put(self, labels: Labels, seconds: float) -> None:
        """Have a duration counted, before anybody reads the count."""
        self._waiting.append((labels, seconds))
        # Who counts already may be this very thread, in a finalizer: that one must not wait for it.
        if len(self._waiting) >= MOST and self._lock.acquire(blocking=False):
            try:
                self._settle()
            finally:
                self._lock.release()

    def settle(self) -> None:
        """Count all that waits."""
        with self._lock:
            self._settle()

    def _settle(self) -> None:
        taken = self._waiting[:]
        del self._waiting[: len(taken)]  # what other threads put meanwhile is behind it
        grouped: defaultdict[Labels, list[float]] = defaultdict(list)
        for labels, seconds in taken:
            grouped[labels].append(seconds)
        try:
            while grouped:
                self._count(*grouped.popitem())
        finally:
            self._waiting[:0] = [(key, each) for key, rest in grouped.items() for each in rest]
