"""A hall: the threads of the bot in this process, before a Telegram in memory."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bot.testing import ChatKit
from database import db


class Hall:
    """Fetches, handles and commits until the end; keeps the most that was in memory."""

    def __init__(self, kit: ChatKit) -> None:
        self.core = kit.core
        self.most = 0
        self._stop = kit.core.parts.stop
        seat = self.core.seats[0]
        seat.lease._held_for = 3600.0
        seat.lease.step()
        works = [lambda: self.core.lanes.work(self._stop)] * kit.settings.threads
        works += [self._fetch, lambda: self.core.ledger.run(self._stop, self._stop.set)]
        self._threads = [threading.Thread(target=self._close_after, args=(w,)) for w in works]

    @contextmanager
    def open(self) -> Iterator[Hall]:
        """Let the threads run in the block."""
        for thread in self._threads:
            thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            self.core.lanes.stop(len(self._threads))
            for thread in self._threads:
                thread.join()

    def until(self, condition: Callable[[], object], *, seconds: float = 20.0) -> None:
        """Wait until something holds. Raises AssertionError."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "it did not come to pass"
            time.sleep(0.01)

    def _fetch(self) -> None:
        while not self._stop.is_set():
            full = self.core.lanes.full()
            self.most = max(self.most, self.core.lanes._size)
            if full or not self.core.seats[0].poller.step(0):
                self._stop.wait(0.01)

    def _close_after(self, work: Callable[[], None]) -> None:
        try:
            work()
        finally:
            if not db.is_closed():
                db.close()
