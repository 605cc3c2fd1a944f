"""The pace: how many may go in which time."""

from __future__ import annotations

from bisect import bisect
from collections import deque

MARGIN = 0.05
"""Seconds added to every window: calls take unequal time to reach Telegram."""


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

    def settle(self, now: float) -> None:
        """The last one has reached Telegram by `now`, perhaps no earlier."""
        self.next = max(self.next, now + self.step)


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

    def settle(self, now: float) -> None:
        """The last one has reached Telegram by `now`, perhaps no earlier."""
        self.times[-1] = now


class Flow:
    """At most `count` in any stretch of `seconds` over many callers, who get their times evenly.

    Threads that leave together, or wake late, would arrive together: `gone` has what went in fact.
    """

    def __init__(self, count: int, seconds: float) -> None:
        self.plan = Window(count, seconds)
        self.gone = Window(count, seconds)
        self.step = self.plan.seconds / count

    def due(self, now: float) -> float:
        """The earliest time at which one more may go."""
        free = self.plan.due(now)
        even = free if free <= now else max(free, self.plan.times[-1] + self.step)
        return max(even, self.gone.due(now))

    def reserve(self, now: float) -> float:
        """Take the earliest time for one more."""
        due = self.due(now)
        self.plan.take(due)
        return due

    def spread(self, until: float) -> None:
        """Nothing new before `until`, and from then on evenly instead of all at once."""
        first = max(until, self.plan.times[-1]) - self.plan.seconds
        self.plan.times.extend([first + self.step * n for n in range(len(self.plan.times))])

    def settle(self, went: float, now: float) -> None:
        """The one that went at a time has reached Telegram by `now`, perhaps no earlier."""
        times = self.gone.times
        if (late := now - MARGIN) > went and went in times:
            times.remove(went)
            times.insert(bisect(times, late), late)


def stretch(rate: float, seconds: float) -> tuple[int, float]:
    """The count and the seconds of a window for a rate, which may be a fraction."""
    count = max(1, int(rate))
    return count, seconds * count / rate
