"""The circuit breaker: suspends a plugin that fails too often, and tries it again later."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable
from datetime import datetime, timedelta
from threading import get_ident
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from database import now
from services import plugins
from services.plugins import Rest

if TYPE_CHECKING:
    from bot.plugin import Handler

log = logging.getLogger(__name__)

FAILURES = 5
"""So many failures suspend a plugin..."""
RUNS = 20
"""...among so many runs of its handlers in a row..."""
WITHIN = timedelta(seconds=60)
"""...within this time."""
OVERTIME = 60.0
"""Seconds after which a handler that still runs has failed; waits for Telegram do not count."""
GAP = 5.0
"""Seconds without a look after which the process was asleep, or the database away."""
REST = timedelta(seconds=60)
"""How long a plugin is suspended at first; each try that fails doubles it..."""
LONGEST = timedelta(hours=1)
"""...up to this."""
TOLD = 10_000
"""Chats that are remembered to know of a suspension."""


class Fault(NamedTuple):
    """What failed: one line, and the traceback where there is one."""

    failure: str
    traceback: str = ""


Run: TypeAlias = "tuple[Handler, float, int]"
"""A handler that runs: since when by the timer, and as which run of its plugin."""


class Breaker:
    """Counts in memory; the table is written and read by `refresh`, once a second.

    A plugin is closed (it runs), open (suspended), or half open (one update is through, to see).
    """

    def __init__(
        self,
        *,
        clock: Callable[[], datetime] = now,
        timer: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.suspended: dict[str, Rest] = {}
        """Asked for every update, and nearly always empty."""
        self.news: list[str] = []
        """What the owners are still to be told."""
        self._clock = clock
        self._timer = timer
        self._runs: defaultdict[str, int] = defaultdict(int)
        self._failures: defaultdict[str, deque[tuple[int, datetime]]] = defaultdict(
            lambda: deque(maxlen=FAILURES)
        )
        self._running: dict[int, Run] = {}
        self._trying: dict[str, int] = {}
        """The threads in which suspended plugins are tried."""
        self._told: dict[str, set[int]] = {}
        self._unsaved: set[str] = set()
        self._lately: dict[str, tuple[int, datetime]] = {}
        """How long plugins were suspended that work again, and since when."""
        self._looked = self._awake = -math.inf
        self._lock = threading.RLock()

    # On the path of an update.

    def holds(self, plugin: str) -> bool:
        """Whether a plugin is to be left alone now."""
        rest = self.suspended.get(plugin)
        return rest is not None and (plugin in self._trying or not self._is_due(rest))

    def enter(self, handler: Handler, began: float) -> bool:
        """Note that a handler begins in this thread; False when it must not."""
        plugin, thread = handler.plugin, get_ident()
        if plugin in self.suspended and not self._try(plugin, thread):
            return False
        number = self._runs[plugin] = self._runs[plugin] + 1
        self._running[thread] = (handler, began, number)
        return True

    def leave(self, plugin: str, *, well: bool = True) -> None:
        """Note that the handler in this thread has ended: well, or by no fault of its own."""
        thread = get_ident()
        self._running.pop(thread, None)
        if self._trying and self._trying.get(plugin) == thread:
            self._end_try(plugin, well=well)

    def halt(self) -> Callable[[], None] | None:
        """Let the time of the handler in this thread stand still, until what is given is called."""
        thread = get_ident()
        run = self._running.get(thread)
        if run is None:
            return None
        handler, began, number = run
        halted = self._timer()
        self._running[thread] = (handler, math.inf, number)

        def go_on() -> None:
            self._running[thread] = (handler, began + self._timer() - halted, number)

        return go_on

    def fail(self, plugin: str, fault: Fault) -> None:
        """Note that the handler in this thread, or a filter, has failed by its own fault."""
        thread = get_ident()
        run = self._running.pop(thread, None)
        self._count(plugin, run[2] if run else self._runs[plugin], thread, fault)

    def tells(self, plugin: str, chat_id: int) -> bool:
        """Whether a chat is to be told that a plugin is off: once each time it is suspended."""
        with self._lock:
            told = self._told.setdefault(plugin, set())
            if chat_id in told:
                return False
            if len(told) >= TOLD:
                told.clear()
            told.add(chat_id)
            return True

    # Beside it, every second.

    def refresh(self) -> bool:
        """Write what has changed and follow the table; look for handlers that run too long."""
        for plugin in list(self._unsaved):
            rest = self.suspended.get(plugin)
            self._unsaved.discard(plugin)
            try:
                plugins.suspend(plugin, rest) if rest else plugins.resume([plugin])
            except BaseException:
                self._unsaved.add(plugin)
                raise
        rows = plugins.suspensions()
        with self._lock:
            for plugin in (self.suspended.keys() | rows.keys()) - self._unsaved:
                if plugin in rows:
                    self.suspended[plugin] = rows[plugin]
                else:
                    self._close(plugin)
        self.look()
        return False

    def look(self) -> None:
        """Count each handler that has run for too long as a failure, once.

        The time when the process was asleep, or the database away, counts for none.
        """
        at = self._timer()
        if at - self._looked > GAP:
            self._awake = at
        self._looked = at
        for thread, run in list(self._running.items()):
            handler, began, number = run
            late = at - max(began, self._awake) > OVERTIME
            if late and self._running.get(thread) is run:
                del self._running[thread]
                name = f"{handler.plugin}.{handler.name}"
                fault = Fault(f"{name} runs for more than {OVERTIME:.0f} seconds")
                self._count(handler.plugin, number, thread, fault)

    def resume(self, plugin: str) -> None:
        """End a suspension by hand. Writes in the caller's transaction."""
        plugins.resume([plugin])
        with self._lock:
            self._close(plugin)
            self._lately.pop(plugin, None)

    def _count(self, plugin: str, number: int, thread: int, fault: Fault) -> None:
        """Count a failure; suspend the plugin, or keep it suspended for longer."""
        with self._lock:
            if plugin in self.suspended:
                if self._trying.get(plugin) == thread or not self.holds(plugin):
                    self._trying.pop(plugin, None)
                    self._suspend(plugin, fault)
                return
            seen = self._failures[plugin]
            seen.append((number, self._clock()))
            numbers, times = zip(*seen)
            close = max(numbers) - min(numbers) < RUNS and times[-1] - times[0] <= WITHIN
            if len(seen) == FAILURES and close:
                self._suspend(plugin, fault)

    def _try(self, plugin: str, thread: int) -> bool:
        """Let one update through to a plugin whose time is over."""
        with self._lock:
            if self.holds(plugin):
                return False
            if plugin in self.suspended:
                self._trying[plugin] = thread
            return True

    def _is_due(self, rest: Rest) -> bool:
        left = rest.until - self._clock()
        return not timedelta() < left <= LONGEST  # longer: a clock was set back

    def _suspend(self, plugin: str, fault: Fault) -> None:
        times, told = self._times(plugin)
        rest = min(LONGEST, REST * 2 ** min(times, 10))
        self.suspended[plugin] = Rest(self._clock() + rest, times + 1, *fault)
        self._unsaved.add(plugin)
        self._told.pop(plugin, None)
        self._failures.pop(plugin, None)
        log.error("the plugin %s is suspended for %s: %s", plugin, rest, fault.failure)
        if not told:
            self.news.append(notice(plugin, fault))

    def _times(self, plugin: str) -> tuple[int, bool]:
        """How often in a row it was suspended, and whether the owners know."""
        if last := self.suspended.get(plugin):
            return last.times, True
        times, since = self._lately.pop(plugin, (0, self._clock()))
        recent = timedelta() <= self._clock() - since <= LONGEST
        return (times, True) if times and recent else (0, False)

    def _end_try(self, plugin: str, *, well: bool) -> None:
        with self._lock:
            self._trying.pop(plugin, None)
            if well and self.suspended.get(plugin):
                self._close(plugin)
                self._unsaved.add(plugin)
                log.warning("the plugin %s works again", plugin)

    def _close(self, plugin: str) -> None:
        if rest := self.suspended.pop(plugin, None):
            self._lately[plugin] = (rest.times, self._clock())
        self._told.pop(plugin, None)


def _cut(traceback: str, *, most: int = 2500) -> str:
    """A traceback that fits into a message: its first line, and its end."""
    if len(traceback) <= most:
        return traceback
    first = traceback.partition("\n")[0][:100]
    return f"{first}\n…{traceback[-most:]}"


def notice(plugin: str, fault: Fault) -> str:
    """What the owners are told, with the end of the traceback, short enough for Telegram."""
    said = (
        f"The plugin {plugin} is suspended: {fault.failure[:500]}\n\n"
        f"It failed {FAILURES} times in a short while. It is tried again in"
        f" {REST.total_seconds():.0f} seconds, and later when that fails; nothing else is affected."
    )
    return f"{said}\n\n{_cut(fault.traceback)}".strip()
