"""Rates: counted exactly over threads and processes, in Redis or in the database."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

import pytest
import redis

from database import Database
from services.rates import REST, Rates, open_rates

AT = datetime(2026, 11, 25, 10, 0, 20, 500_000)  # noqa: DTZ001  as the tables keep it


def count_in_threads(rates: list[Rates], database: Database, most: int, each: int) -> int:
    """How many of so many tries in each thread are let through."""
    passed: list[object] = []

    def work(mine: Rates) -> None:
        with database.connection_context():
            passed.extend(wait for _ in range(each) if (wait := mine.take("k", most)) is None)

    threads = [threading.Thread(target=work, args=(mine,)) for mine in rates]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(passed)


def test_threads_share_a_limit_exactly(database: Database, cache_url: str | None) -> None:
    """Four workers, each with counters of its own, let through exactly what is allowed."""
    workers = [open_rates(cache_url, clock=lambda: AT) for _ in range(4)]
    assert count_in_threads(workers, database, 50, 30) == 50
    alone = [Rates(clock=lambda: AT + timedelta(minutes=1)) for _ in range(4)]
    assert count_in_threads(alone, database, 120, 30) == 120


def test_the_next_minute_begins_anew(database: Database, cache_url: str | None) -> None:
    """Whoever is over the limit is told the seconds until then; each key counts for itself."""
    at = [AT]
    rates = open_rates(cache_url, clock=lambda: at[0])
    with database.connection_context():
        assert [rates.take("k", 2) for _ in range(3)] == [None, None, 40]
        assert rates.take("other", 2) is None
        at[0] += timedelta(seconds=39)
        assert rates.take("k", 2) == 1
        at[0] += timedelta(seconds=1)
        assert [rates.take("k", 2) for _ in range(3)] == [None, None, 60]


def test_a_worker_whose_clock_is_behind_resets_nothing(database: Database) -> None:
    """In the database the later minute counts on."""
    ahead, behind = Rates(clock=lambda: AT + timedelta(minutes=1)), Rates(clock=lambda: AT)
    with database.connection_context():
        assert [ahead.take("k", 2), ahead.take("k", 2)] == [None, None]
        assert behind.take("k", 2) is not None and ahead.take("k", 2) is not None


def test_the_database_counts_while_redis_is_gone(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """Limits hold without Redis, which is asked again only after a while."""
    ticks = [0.0]
    gone = redis.Redis.from_url("redis://127.0.0.1:1", retry=None)
    rates = Rates(gone, clock=lambda: AT, ticks=lambda: ticks[0])
    with database.connection_context():
        assert [rates.take("k", 2) for _ in range(3)] == [None, None, 40]
        assert len(caplog.records) == 1
        ticks[0] = REST
        assert rates.take("k", 2) == 40 and len(caplog.records) == 2


def test_redis_keeps_a_count_no_longer_than_needed(database: Database, redis_url: str) -> None:
    """Its keys go by themselves."""
    store = redis.Redis.from_url(redis_url)
    Rates(store, clock=lambda: AT).take("k", 2)
    (key,) = store.keys()
    assert 0 < store.ttl(key) <= 120
    store.close()
