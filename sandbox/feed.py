"""The numbered happenings that the chat page follows."""

from __future__ import annotations

import threading
from typing import Any

from sandbox.answers import Json

KEPT = 10_000


class Feed:
    """A bounded list of happenings; a reader asks for those after the last that it saw."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._items: list[Json] = []
        self._last = 0
        self._changed = threading.Condition()

    @property
    def last(self) -> int:
        """The number of the newest happening, 0 before the first."""
        return self._last

    def add(self, kind: str, bot_id: int, **facts: Any) -> None:
        """Append a happening and wake those who wait for one."""
        with self._changed:
            self._last += 1
            self._items.append({"n": self._last, "kind": kind, "bot_id": bot_id, **facts})
            if len(self._items) > 2 * self._kept:
                del self._items[: -self._kept]
            self._changed.notify_all()

    def after(self, number: int, *, timeout: float = 0) -> list[Json]:
        """The happenings after a number; waits up to `timeout` seconds for the first."""
        with self._changed:
            self._changed.wait_for(lambda: self._last > number, timeout)
            missing = self._last - max(number, 0)
            return self._items[-missing:] if missing > 0 else []
