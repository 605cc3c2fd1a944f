"""The tally: keeps the figures of the day up to date, and fills in those of days gone by."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date

from bot.core import Core
from services import figures

EVERY = 10.0
"""Seconds between two counts of the day..."""
PEOPLE = 60.0
"""...and between two counts of everybody..."""
SHARE = 100
"""...or so many times as long as the last one took, so that counting is 1 % of the work at most."""
DAYS = 7
"""Days gone by that are counted in one go."""


class Tally:
    """One call of `step` does what is due; the caller calls it every second.

    What the tables tell is counted anew each time, by a process that acts for a bot: it is right
    after a crash, and twice is as good as once. How long the answers took is known to this
    process alone and is added; a crash loses the last seconds of it.
    """

    def __init__(self, core: Core, *, timer: Callable[[], float] = time.perf_counter) -> None:
        self.core = core
        self._timer = timer
        self._due: dict[str, float] = {}
        self._told = (0, 0)
        self._complete: date | None = None
        """The day on which all days before it were found counted for good."""

    def step(self, at: float) -> None:
        """Count what is due at the monotonic time `at`; raises what the database raises."""
        if not any(seat.led and seat.lease.valid() for seat in self.core.seats):
            return
        self._do("day", at, EVERY, self._count_days)
        self._do("people", at, PEOPLE, lambda: figures.count_people(self.core.parts.clock()))

    def _do(self, name: str, at: float, every: float, count: Callable[[], None]) -> None:
        if at < self._due.get(name, at):
            return
        started = self._timer()
        count()
        self._due[name] = at + max(every, SHARE * (self._timer() - started))

    def _count_days(self) -> None:
        at = self.core.parts.clock()
        self._add_responses(at.date())
        figures.count(at.date(), at)
        if self._complete != at.date():
            days = figures.open_days(at)
            for day in days[:DAYS]:
                figures.count(day, at)
            if not days:
                self._complete = at.date()

    def _add_responses(self, day: date) -> None:
        """Add what was answered since the last time, and how long that took."""
        count, seconds = self.core.parts.metrics.responses()
        total = (count, int(seconds * 1000))
        more = [now - before for now, before in zip(total, self._told)]
        figures.add(day, dict(zip((figures.RESPONSES, figures.RESPONSE_MS), more)))
        self._told = total
