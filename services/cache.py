"""A cache of JSON values: in Redis when there is one, else in the process; its loss is a miss."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any, Protocol, TypeVar
from weakref import WeakValueDictionary

import redis

from services.traces import matcher

log = logging.getLogger(__name__)

T = TypeVar("T")

FIVE_MINUTES = 300
PREFIX = "steadygram:"
TIMEOUT = 0.3
"""Seconds that one call of Redis may take."""
REST = 10.0
"""Seconds without Redis after a call failed, so that a hanging one costs little."""


class Store(Protocol):
    """Keeps texts for a while."""

    def get(self, key: str) -> str | bytes | None:
        """The text that is kept under the key, while it is."""

    def set(self, key: str, text: str, seconds: int) -> None:
        """Keep a text for some seconds."""

    def drop(self, found: Callable[[str], object]) -> int | None:
        """Drop what is found by its key or by its text; give the number, None when unreachable."""


class Making:
    """Held by the thread that makes a value."""

    def __init__(self) -> None:
        self.lock = threading.RLock()


class Cache:
    """Values of any type that JSON has, each for some seconds."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._making: WeakValueDictionary[str, Making] = WeakValueDictionary()
        self._lock = threading.Lock()

    def get(self, key: str) -> Any:
        """The value, or None for a miss; what is no JSON is a miss too."""
        text = self._store.get(PREFIX + key)
        try:
            return None if text is None else json.loads(text)
        except ValueError:
            log.warning("the cache holds no JSON under %s", key)
            return None

    def set(self, key: str, value: Any, seconds: int = FIVE_MINUTES) -> None:
        """Keep a value; raises TypeError for one that JSON has not."""
        self._store.set(PREFIX + key, json.dumps(value), seconds)

    def remember(self, key: str, make: Callable[[], T], seconds: int = FIVE_MINUTES) -> T:
        """The kept value, or a new one from `make`, which is kept; None is not kept.

        Of several threads that miss a value one makes it, and the others wait for that.
        """
        value: T | None = self.get(key)
        if value is not None:
            return value
        with self._lock:
            making = self._making.setdefault(key, Making())
        with making.lock:
            value = self.get(key)
            if value is None:
                value = make()
                if value is not None:
                    self.set(key, value, seconds)
            return value

    def forget(self, words: Sequence[str]) -> int | None:
        """Drop every value that has one of the words in its key or in it; give the number.

        Walks through all that is kept. None when it cannot be reached: it then goes with its time.
        """
        return self._store.drop(matcher(words).search)


class MemoryStore:
    """The newest texts of this process."""

    def __init__(self, *, size: int = 10_000, clock: Callable[[], float] = time.monotonic) -> None:
        self._size = size
        self._clock = clock
        self._kept: OrderedDict[str, tuple[float, str]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str) -> str | None:
        """The text, unless its time is over."""
        until, text = self._kept.get(key, (0.0, ""))
        return text if self._clock() < until else None

    def set(self, key: str, text: str, seconds: int) -> None:
        """Keep a text; the oldest go when there are too many."""
        with self._lock:
            self._kept.pop(key, None)
            self._kept[key] = (self._clock() + seconds, text)
            if len(self._kept) > self._size:
                self._kept.popitem(last=False)

    def drop(self, found: Callable[[str], object]) -> int:
        """Drop what is found."""
        with self._lock:
            kept = self._kept.items()
            keys = [key for key, (_, text) in kept if found(key) or found(text)]
            for key in keys:
                del self._kept[key]
        return len(keys)


class RedisStore:
    """Texts in Redis. After an error all calls are misses for ten seconds."""

    def __init__(self, client: redis.Redis, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._clock = clock
        self._lock = threading.Lock()
        self._away = False
        self._next_try = 0.0

    def get(self, key: str) -> bytes | None:
        """The text as Redis has it, or None when Redis has none or is away."""
        text: bytes | None = self._call(lambda: self._client.get(key))
        return text

    def set(self, key: str, text: str, seconds: int) -> None:
        """Keep a text, if Redis is there."""
        self._call(lambda: self._client.set(key, text, ex=seconds))

    def drop(self, found: Callable[[str], object]) -> int | None:
        """Drop what is found, if Redis is there."""
        count: int | None = self._call(lambda: self._drop(found))
        return count

    def _drop(self, found: Callable[[str], object]) -> int:
        count, keys = 0, iter(self._client.scan_iter(match=f"{PREFIX}*", count=1000))
        while some := list(islice(keys, 1000)):
            texts = [text or b"" for text in self._client.mget(some)]
            gone = [
                key for key, text in zip(some, texts) if found(_said(key)) or found(_said(text))
            ]
            count += self._client.delete(*gone) if gone else 0
        return count

    def _call(self, command: Callable[[], Any]) -> Any:
        if self._away and not self._may_try():
            return None
        try:
            answer = command()
        except redis.RedisError as error:
            if not self._away:
                log.warning("Redis is away, the cache rests for %.0f s: %s", REST, error)
            self._away, self._next_try = True, self._clock() + REST
            return None
        self._away = False
        return answer

    def _may_try(self) -> bool:
        """Let one thread find out whether Redis is back; the others do not wait with it."""
        with self._lock:
            due = self._clock() >= self._next_try
            if due:
                self._next_try = self._clock() + REST
            return due


def _said(text: str | bytes) -> str:
    return text if isinstance(text, str) else text.decode(errors="replace")


def open_cache(url: str | None) -> Cache:
    """A cache in the Redis at `url`, or in the process without one; nothing is connected yet."""
    if not url:
        return Cache(MemoryStore())
    client = redis.Redis.from_url(
        url, socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT, retry=None
    )
    return Cache(RedisStore(client))
