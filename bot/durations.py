"""Durations: histograms that cost an update little, alone or with the group it is committed in."""

from __future__ import annotations

import math
import threading
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector


class Buckets:
    """The durations that were seen under one label."""

    __slots__ = ("_bounds", "_counts", "_lock", "_sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * len(bounds)
        self._sum = 0.0
        self._lock = threading.Lock()

    def observe(self, seconds: float, times: int = 1) -> None:
        """Count a duration that was met so many times."""
        with self._lock:
            self._counts[bisect_left(self._bounds, seconds)] += times
            self._sum += seconds * times

    def observe_all(self, seen: Sequence[float]) -> None:
        """Count durations, each met once."""
        ordered, below = sorted(seen), 0
        with self._lock:
            self._sum += sum(ordered)
            for place, bound in enumerate(self._bounds):
                reached = bisect_right(ordered, bound)
                self._counts[place] += reached - below
                below = reached

    def read(self) -> tuple[list[int], float]:
        """How many there are in each bucket, and the sum of all."""
        with self._lock:
            return self._counts[:], self._sum


class Durations(Collector):
    """A histogram of seconds, with one label or none.

    That of prometheus_client looks at each bound in turn, and takes two locks.
    """

    def __init__(
        self,
        name: str,
        text: str,
        bounds: Sequence[float],
        registry: CollectorRegistry,
        *label: str,
        settle: Callable[[], object] = int,
    ) -> None:
        """`settle` is called before it is read."""
        self._name, self._text, self._label = name, text, label
        self._bounds = [*bounds, math.inf]
        self._names = [*map(str, bounds), "+Inf"]
        self._children: dict[tuple[str, ...], Buckets] = {}
        self._settle = settle
        if not label:
            self.labels()
        registry.register(self)

    def labels(self, *value: str) -> Buckets:
        """The durations under a value of the label."""
        return self._children.setdefault(value, Buckets(self._bounds))

    def observe(self, seen: Mapping[float, int]) -> None:
        """Count durations without a label; `seen` says how often each one was met."""
        for seconds, times in seen.items():
            self.labels().observe(seconds, times)

    def total(self) -> tuple[int, float]:
        """How many durations were counted under all labels, and their sum."""
        self._settle()
        read = [child.read() for child in list(self._children.values())]
        return sum(sum(counts) for counts, _ in read), sum(total for _, total in read)

    def describe(self) -> Iterable[HistogramMetricFamily]:
        """Its name, for the registry."""
        return [HistogramMetricFamily(self._name, self._text, labels=self._label)]

    def collect(self) -> Iterable[HistogramMetricFamily]:
        """What was counted, for a scrape."""
        self._settle()
        family = HistogramMetricFamily(self._name, self._text, labels=self._label)
        for value, child in list(self._children.items()):
            counts, total = child.read()
            buckets = list(zip(self._names, accumulate(counts), strict=True))
            family.add_metric(value, buckets, total)
        return [family]
