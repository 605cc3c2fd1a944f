"""A pile: what is to be counted waits on it, and is counted when somebody asks or it has grown."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

MOST = 128

Labels: TypeAlias = tuple[str, str]


class Pile:
    """Durations under two labels. An update pays for an append instead of for locks and look-ups.

    `count` gets what waited, by its labels.
    """

    def __init__(self, count: Callable[[Mapping[Labels, Sequence[float]]], None]) -> None:
        self._count = count
        self._waiting: list[tuple[Labels, float]] = []
        self._lock = threading.Lock()

    def put(self, labels: Labels, seconds: float) -> None:
        """Have a duration counted, before anybody reads the count."""
        self._waiting.append((labels, seconds))
        if len(self._waiting) >= MOST:
            self.settle()

    def settle(self) -> None:
        """Count all that waits."""
        with self._lock:
            taken = self._waiting[:]
            del self._waiting[: len(taken)]  # what other threads put meanwhile is behind it
            grouped: defaultdict[Labels, list[float]] = defaultdict(list)
            for labels, seconds in taken:
                grouped[labels].append(seconds)
            self._count(grouped)
