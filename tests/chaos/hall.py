"""A hall: the whole process of the bot inside this one, before a Telegram in memory."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bot.process import Process
from bot.testing import ChatKit


class Hall:
    """Runs a kit's core on its threads; keeps the most that was in memory at a fetch."""

    def __init__(self, kit: ChatKit) -> None:
        self.core = kit.core
        self.most = 0
        self._now = 0.0
        kit.telegram._timing.timer = lambda: self._now
        kit.telegram._timing.wait = self._wait
        self._full = self.core.lanes.full
        self.core.lanes.full = self._look  # type: ignore[method-assign]
        for seat in self.core.seats:  # the process takes it itself
            seat.lease.release()
            seat.led = False

    @contextmanager
    def open(self) -> Iterator[Hall]:
        """Let the process run in the block."""
        process = Process(self.core, chores=[])
        process._on_signals = lambda: None  # type: ignore[method-assign]
        thread = threading.Thread(target=process.run)
        thread.start()
        try:
            yield self
        finally:
            process.stop.set()
            thread.join()

    def until(self, condition: Callable[[], object], *, seconds: float = 20.0) -> None:
        """Wait until something holds. Raises AssertionError."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "it did not come to pass"
            time.sleep(0.01)

    def _look(self) -> bool:
        self.most = max(self.most, self.core.lanes._size)
        return self._full()

    def _wait(self, changed: threading.Condition, _seconds: float) -> None:
        """Let a second of a long poll pass."""
        changed.wait(0.01)
        self._now += 1.0
