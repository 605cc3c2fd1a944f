"""Durations: a histogram that takes many values at once, for a group that is committed together."""

from __future__ import annotations

import math
import threading
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector


class Durations(Collector):
    """Counts seconds by bucket; a group costs one lock, whatever its size."""

    def __init__(
        self, name: str, text: str, bounds: Sequence[float], registry: CollectorRegistry
    ) -> None:
        self._name, self._text = name, text
        self._bounds = [*bounds, math.inf]
        self._names = [*map(str, bounds), "+Inf"]
        self._counts = [0] * len(self._bounds)
        self._sum = 0.0
        self._lock = threading.Lock()
        registry.register(self)

    def observe(self, seen: Mapping[float, int]) -> None:
        """Count durations; `seen` says how often each one was met."""
        with self._lock:
            for seconds, times in seen.items():
                self._counts[bisect_left(self._bounds, seconds)] += times
                self._sum += seconds * times

    def describe(self) -> Iterable[HistogramMetricFamily]:
        """Its name, for the registry."""
        return [HistogramMetricFamily(self._name, self._text)]

    def collect(self) -> Iterable[HistogramMetricFamily]:
        """What was counted, for a scrape."""
        with self._lock:
            counts, total = self._counts[:], self._sum
        buckets = list(zip(self._names, accumulate(counts), strict=True))
        family = HistogramMetricFamily(self._name, self._text)
        family.add_metric([], buckets, total)
        return [family]
