"""The throttle: burst and rate, one notice, then silence; Redis shares it and may be lost."""

from __future__ import annotations

import pytest
import redis

from bot.throttle import Throttle, Verdict
from tests.bot.test_lease import Clock

GO, TELL, DROP = Verdict.GO, Verdict.TELL, Verdict.DROP


def test_a_burst_then_one_notice_then_silence() -> None:
    """Five at once pass; the sixth is told; the rest are dropped; a second later one passes."""
    clock = Clock()
    throttle = Throttle(1, 5, clock=clock)
    assert [throttle.check(1) for _ in range(8)] == [GO] * 5 + [TELL, DROP, DROP]
    assert throttle.check(2) is GO
    clock.now += 1
    assert [throttle.check(1), throttle.check(1)] == [GO, TELL]


def test_a_flood_that_waits_for_its_turn_is_a_flood() -> None:
    """Eight updates of one moment are handled a second apart: the time they came at counts."""
    clock = Clock()
    throttle = Throttle(1, 5, clock=clock)
    verdicts = []
    for waited in range(8):
        verdicts.append(throttle.check(1, ago=waited))
        clock.now += 1
    assert verdicts == [GO] * 5 + [TELL, DROP, DROP]


def test_a_clock_that_is_ahead_silences_nobody_for_long() -> None:
    """Messages that seem to be days old use up the burst; after a pause it is there again."""
    clock = Clock()
    throttle = Throttle(1, 5, clock=clock)
    assert throttle.check(1) is GO
    verdicts = [throttle.check(1, ago=2_592_000) for _ in range(6)]
    assert verdicts == [GO] * 4 + [TELL, DROP]
    clock.now += 5
    assert throttle.check(1, ago=2_592_000) is GO


def test_a_rate_of_zero_turns_it_off() -> None:
    """Without a rate nobody is held."""
    throttle = Throttle(0, 5)
    assert {throttle.check(1) for _ in range(100)} == {GO}


def test_idle_people_are_forgotten() -> None:
    """Memory holds only those whose bucket is not full again."""
    clock = Clock()
    throttle = Throttle(1, 5, clock=clock, size=10)
    for person in range(10):
        throttle.check(person)
    clock.now += 6
    throttle.check(99)
    assert len(throttle._buckets) == 1


def test_redis_counts_over_processes(redis_url: str) -> None:
    """Two processes share one bucket."""
    store = redis.Redis.from_url(redis_url)
    one, two = Throttle(1, 3, store=store), Throttle(1, 3, store=store)
    assert [one.check(1), two.check(1), one.check(1)] == [GO, GO, GO]
    assert [two.check(1), one.check(1)] == [TELL, DROP]
    assert 0 < store.pttl("steadygram:throttle:1") <= 4000
    store.close()


def test_redis_counts_from_when_an_update_came(redis_url: str) -> None:
    """An update that waited takes its token of then; one that came out of order gives none."""
    store = redis.Redis.from_url(redis_url)
    throttle = Throttle(0.1, 2, store=store)
    assert [throttle.check(1, ago=60), throttle.check(1, ago=60)] == [GO, GO]
    assert [throttle.check(1, ago=59), throttle.check(1, ago=90)] == [TELL, DROP]
    assert throttle.check(1, ago=40) is GO
    store.close()


def test_what_waited_for_its_turn_finds_no_new_tokens() -> None:
    """A flood that came at once is one, even when each of it is answered for 5 seconds."""
    clock = Clock()
    throttle = Throttle(1, 2, clock=clock)
    seen = []
    for number in range(5):
        seen.append(throttle.check(1, ago=5.0 * number))
        clock.now += 5
    assert seen == [GO, GO, TELL, DROP, DROP]
    assert throttle.check(1) is GO, "what is sent now finds the tokens of the time since"


def test_without_redis_each_process_throttles_alone(caplog: pytest.LogCaptureFixture) -> None:
    """A Redis that is away is left alone for some seconds, and the limits hold meanwhile."""
    clock = Clock()
    gone = redis.Redis.from_url("redis://127.0.0.1:1", socket_connect_timeout=0.2, retry=None)
    throttle = Throttle(1, 2, clock=clock, store=gone)
    assert [throttle.check(1) for _ in range(4)] == [GO, GO, TELL, DROP]
    assert len(caplog.records) == 1
    clock.now += 6
    throttle.check(1)
    assert len(caplog.records) == 2
