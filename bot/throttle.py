"""The throttle: a rate and a burst for each user, told once and then enforced in silence."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from enum import IntEnum
from typing import TypeAlias

import redis

log = logging.getLogger(__name__)

ASK = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000 - tonumber(ARGV[3])
local rate, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local seen = redis.call('HMGET', KEYS[1], 'tokens', 'at', 'told')
local before = tonumber(seen[2]) or now
local at = math.max(now, before)
local tokens = math.min(burst, (tonumber(seen[1]) or burst) + (at - before) * rate)
local verdict, told = 0, 0
if tokens >= 1 then
  tokens = tokens - 1
else
  verdict = seen[3] == '1' and 2 or 1
  told = 1
end
"""
PEEK = f"{ASK}return verdict\n"
TAKE = f"""{ASK}
at = string.format('%.6f', at)
redis.call('HSET', KEYS[1], 'tokens', tostring(tokens), 'at', at, 'told', told)
redis.call('PEXPIRE', KEYS[1], math.ceil(burst / rate * 1000) + 1000)
return verdict
"""


class Verdict(IntEnum):
    """What becomes of an update: it goes on, its user is told to wait, or nothing happens."""

    GO = 0
    TELL = 1
    DROP = 2


GO, TELL, DROP = Verdict  # a class that has a metaclass takes ten times as long to look into


Bucket: TypeAlias = tuple[float, float, bool, float]
"""The tokens that a person has left; the time of the newest update that took one; whether they were
told; and when somebody last looked, by our own clock."""


class Throttle:
    """Token buckets, in this process or, when Redis is given, over all processes.

    `rate` is in updates a second; 0 turns the throttle off. When Redis fails, the buckets of this
    process serve, and after `retry` seconds one update finds out whether it is back.
    """

    def __init__(
        self,
        rate: float,
        burst: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        store: redis.Redis | None = None,
        size: int = 50_000,
        retry: float = 5.0,
    ) -> None:
        self.rate = rate
        self.burst = burst
        self._clock = clock
        self._size = size
        self._retry = retry
        self._script = store.register_script(TAKE) if store and rate else None
        self._peek = store.register_script(PEEK) if store and rate else None
        self._away = False
        self._next_try = 0.0
        self._lock = threading.Lock()
        self._buckets: dict[int, Bucket] = {}

    def check(self, user_id: int, ago: float = 0.0) -> Verdict:
        """Take one token of a user, if there was one `ago` seconds before now.

        What counts is when an update came, not how long it waited for its turn: a flood that is
        answered slowly is a flood.
        """
        if not self.rate:
            return GO
        was_away = self._away
        if self._script and (not was_away or self._may_try()):
            try:
                keys, arguments = [f"steadygram:throttle:{user_id}"], [self.rate, self.burst, ago]
                verdict = Verdict(int(self._script(keys, arguments)))
                self._away = False
                return verdict
            except redis.RedisError as error:
                if was_away or not self._away:
                    log.warning("Redis is away, each process throttles alone: %s", error)
                self._away, self._next_try = True, self._clock() + self._retry
        return self._check_here(user_id, self._clock() - ago)

    def peek(self, user_id: int, ago: float = 0.0) -> Verdict:
        """What `check` would say, and take nothing. Raises what Redis raises."""
        if not self.rate:
            return GO
        if self._peek:
            keys = [f"steadygram:throttle:{user_id}"]
            return Verdict(int(self._peek(keys, [self.rate, self.burst, ago])))
        return self._weigh(user_id, self._clock() - ago)[0]

    def forget(self, user_id: int) -> None:
        """Forget a person in this process."""
        self._buckets.pop(user_id, None)

    def _may_try(self) -> bool:
        """Let one thread find out whether Redis is back; the others do not wait with it."""
        with self._lock:
            due = self._clock() >= self._next_try
            if due:
                self._next_try = self._clock() + self._retry
            return due

    def _check_here(self, user_id: int, at: float) -> Verdict:
        verdict, bucket = self._weigh(user_id, at)
        self._put(user_id, bucket)
        return verdict

    def _weigh(self, user_id: int, at: float) -> tuple[Verdict, Bucket]:
        """What becomes of an update, and of its sender's tokens."""
        now, bucket, tokens = self._clock(), self._buckets.get(user_id), float(self.burst)
        told = False
        # After a long silence something that was sent before what came last: a clock was set, and
        # the times of sending say nothing. What only waited for its turn was sent after it.
        if bucket and (at >= bucket[1] - 1.0 or not self._is_full(bucket, now)):
            left, since, told, _ = bucket
            at = max(at, since)
            tokens = min(tokens, left + (at - since) * self.rate)
        if tokens >= 1:
            return GO, (tokens - 1, at, False, now)
        return (DROP if told else TELL), (tokens, at, True, now)

    def _is_full(self, bucket: Bucket, now: float) -> bool:
        """Whether nobody has taken from it for as long as it takes to fill."""
        return bucket[3] <= now - self.burst / self.rate

    def _put(self, user_id: int, bucket: Bucket) -> None:
        if len(self._buckets) >= self._size and user_id not in self._buckets:
            now, kept = self._clock(), self._buckets.items()
            self._buckets = {key: one for key, one in kept if not self._is_full(one, now)}
        self._buckets[user_id] = bucket
