"""How often something may be done: counted exactly over all processes, in Redis or the database."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import redis

from database import as_param, db, now

log = logging.getLogger(__name__)

PREFIX = "steadygram-rate:"
TIMEOUT = 0.3
"""Seconds that one call of Redis may take."""
REST = 10.0
"""Seconds without Redis after a call failed: the database counts meanwhile."""
COUNT = """
    INSERT INTO admin_attempts (key, failures, open_at, updated_at) VALUES (?, 1, ?, ?)
    ON CONFLICT (key) DO UPDATE SET
    failures = CASE WHEN admin_attempts.open_at >= EXCLUDED.open_at
    THEN admin_attempts.failures + 1 ELSE 1 END,
    open_at = CASE WHEN admin_attempts.open_at >= EXCLUDED.open_at
    THEN admin_attempts.open_at ELSE EXCLUDED.open_at END,
    updated_at = EXCLUDED.updated_at RETURNING failures
"""


class Rates:
    """Counts in windows of time that begin at the same moment in every process."""

    def __init__(
        self,
        store: redis.Redis | None = None,
        *,
        clock: Callable[[], datetime] = now,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._clock = clock
        self._ticks = ticks
        self._rests_until = -math.inf

    def take(self, key: str, most: int, *, seconds: int = 60) -> int | None:
        """Count one more; None while there are `most` at most, else the seconds to wait."""
        at = self._clock()
        epoch = at.replace(tzinfo=UTC).timestamp()
        window = int(epoch // seconds)
        count = self._in_redis(f"{PREFIX}{key}:{window}", 2 * seconds)
        if count is None:
            count = _in_database(key, at, at - timedelta(seconds=epoch - (window + 1) * seconds))
        return None if count <= most else math.ceil((window + 1) * seconds - epoch) or 1

    def _in_redis(self, key: str, seconds: int) -> int | None:
        """The count with this one; None without Redis."""
        if self._store is None or self._ticks() < self._rests_until:
            return None
        calls = self._store.pipeline(transaction=True)
        calls.incr(key)
        calls.expire(key, seconds)
        try:
            return int(calls.execute()[0])
        except redis.RedisError as error:
            log.warning("Redis is away, the database counts for %.0f s: %s", REST, error)
            self._rests_until = self._ticks() + REST
            return None


def _in_database(key: str, at: datetime, until: datetime) -> int:
    """The count with this one, in a row that serves one window after the other."""
    values = (key, as_param(until), as_param(at))
    return int(db.execute_sql(COUNT.replace("?", db.param), values).fetchone()[0])


def open_rates(url: str | None, *, clock: Callable[[], datetime] = now) -> Rates:
    """Rates in the Redis at `url`, or in the database without one; nothing is connected yet."""
    if not url:
        return Rates(clock=clock)
    store = redis.Redis.from_url(
        url, socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT, retry=None
    )
    return Rates(store, clock=clock)
