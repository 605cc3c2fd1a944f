"""The cache: in the process and in Redis alike; whatever is wrong with it is a miss."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Iterator

import pytest
import redis

from services.cache import REST, Cache, MemoryStore, RedisStore, open_cache
from tests.ports import free_port


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.time = 100.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def hanging() -> Iterator[str]:
    """The address of a Redis that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=50) as listener:
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}/0"


@pytest.mark.parametrize("value", [0, "", [], {"a": [1.5, None, "Вера"]}, False, "text"])
def test_what_json_has_is_kept(cache_url: str | None, value: object) -> None:
    """A value of any type that JSON has comes back equal, and another key is a miss."""
    cache = open_cache(cache_url)
    cache.set("key", value)
    assert cache.get("key") == value
    assert cache.get("other") is None


def test_what_json_has_not_is_refused(cache_url: str | None) -> None:
    """No object is pickled: only plain values may be kept."""
    with pytest.raises(TypeError):
        open_cache(cache_url).set("key", object())


def test_a_value_is_made_once(cache_url: str | None) -> None:
    """`remember` makes a value at a miss and keeps it; None is made each time."""
    cache, made = open_cache(cache_url), []

    def make() -> int:
        made.append(1)
        return len(made)

    assert [cache.remember("n", make), cache.remember("n", make, 10)] == [1, 1]
    assert cache.remember("none", lambda: None) is None
    assert cache.remember("none", lambda: 3) == 3


def test_a_value_is_kept_for_its_time() -> None:
    """In the process a value is a miss when its seconds are over, and is replaced by a new one."""
    clock = Clock()
    cache = Cache(MemoryStore(clock=clock))
    cache.set("key", 1, seconds=300)
    clock.time += 299
    assert cache.get("key") == 1
    clock.time += 1
    assert cache.get("key") is None
    cache.set("key", 2)
    assert cache.get("key") == 2


def test_redis_forgets_by_itself(redis_url: str) -> None:
    """In Redis every value has a time to live, five minutes unless said, under our prefix."""
    cache, client = open_cache(redis_url), redis.Redis.from_url(redis_url)
    cache.set("a", 1)
    cache.set("b", 1, seconds=7)
    assert 290 < client.ttl("steadygram:a") <= 300
    assert 0 < client.ttl("steadygram:b") <= 7
    client.close()


def test_the_oldest_values_go_first() -> None:
    """The process keeps a bounded number of values."""
    cache = Cache(MemoryStore(size=2))
    for key in ("a", "b", "a", "c"):
        cache.set(key, key)
    assert [cache.get(key) for key in "abc"] == ["a", None, "c"]


@pytest.mark.parametrize("poison", [b"{", b"\xff\xfe", b"\x80\x04N.", b""])
def test_poison_is_a_miss(redis_url: str, poison: bytes) -> None:
    """Whatever somebody else put under our key, it is a miss and is written over."""
    cache, client = open_cache(redis_url), redis.Redis.from_url(redis_url)
    client.set("steadygram:key", poison)
    assert cache.get("key") is None
    assert cache.remember("key", lambda: 5) == 5 == cache.get("key")
    client.delete("steadygram:key")
    client.hset("steadygram:key", "of another", "type")
    assert cache.get("key") is None
    client.close()


def test_redis_that_is_gone_is_a_miss(caplog: pytest.LogCaptureFixture) -> None:
    """Without Redis values are made each time, nothing raises, and it is said once."""
    cache = open_cache(f"redis://127.0.0.1:{free_port()}/0")
    with caplog.at_level(logging.WARNING):
        assert [cache.remember("key", lambda: 1), cache.remember("key", lambda: 2)] == [1, 2]
        cache.set("key", 1)
    assert sum("Redis is away" in message for message in caplog.messages) == 1


def test_a_hanging_redis_costs_little(hanging: str) -> None:
    """A Redis that never answers costs half a second at most, and then nothing for a while."""
    cache = open_cache(hanging)
    started = time.monotonic()
    assert cache.remember("key", lambda: 1) == 1
    assert time.monotonic() - started < 0.5
    started = time.monotonic()
    for _ in range(100):
        assert cache.remember("key", lambda: 1) == 1
    assert time.monotonic() - started < 0.1


def test_redis_is_tried_again_by_one(redis_url: str, hanging: str) -> None:
    """After its rest one call finds out whether Redis is back, the others do not wait for it."""
    clock = Clock()
    away = redis.Redis.from_url(hanging, socket_timeout=0.05)
    there = redis.Redis.from_url(redis_url)
    store = RedisStore(away, clock=clock)
    cache = Cache(store)
    cache.set("key", 1)
    store._client = there
    cache.set("key", 2)
    assert cache.get("key") is None
    clock.time += REST
    assert store._may_try() and not store._may_try()
    clock.time += REST
    cache.set("key", 3)
    assert cache.get("key") == 3
    away.close()
    there.close()
