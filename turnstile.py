"""The turnstile: a lock that lets one thread after the other pass."""

from __future__ import annotations

import threading
from collections import deque


class Turnstile:
    """A lock that serves threads in the order they came, so that none starves."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._queue: deque[tuple[int, threading.Lock]] = deque()
        self._holder: int | None = None

    def mine(self) -> bool:
        """Whether the calling thread holds the lock."""
        return self._holder == threading.get_ident()

    def acquire(self, timeout: float) -> bool:
        """Wait for the turn, at most `timeout` seconds; whether it came."""
        me = threading.get_ident()
        with self._guard:
            if self._holder is None:
                self._holder = me
                return True
            turn = threading.Lock()
            turn.acquire()
            self._queue.append((me, turn))
        came = False
        try:
            came = turn.acquire(timeout=timeout)
        finally:
            came = came or self._leave(me, turn)
        return came

    def release(self) -> None:
        """Hand the lock to the thread that waits longest."""
        with self._guard:
            self._holder = None
            if self._queue:
                self._holder, turn = self._queue.popleft()
                turn.release()

    def _leave(self, me: int, turn: threading.Lock) -> bool:
        """Leave the queue; True when the lock was handed over at the last moment."""
        with self._guard:
            if self._holder != me:
                self._queue.remove((me, turn))
            return self._holder == me
