"""The pile: what waits to be counted is counted once, whoever puts it and whoever asks."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Mapping, Sequence

import pytest

from bot.metrics import Metrics
from bot.pile import MOST, Labels, Pile


@pytest.fixture
def _busy_threads() -> Iterator[None]:
    """Threads take turns a thousand times as often as they do."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(5e-6)
    yield
    sys.setswitchinterval(before)


def test_what_waits_is_counted_when_somebody_asks() -> None:
    """By its labels, and only once."""
    counted: list[tuple[Labels, list[float]]] = []
    pile = Pile(lambda seen: counted.extend((key, list(each)) for key, each in seen.items()))
    pile.put(("a", "ok"), 0.5)
    pile.put(("b", "ok"), 0.1)
    pile.put(("a", "ok"), 0.2)
    assert counted == []
    pile.settle()
    pile.settle()
    assert counted == [(("a", "ok"), [0.5, 0.2]), (("b", "ok"), [0.1])]


def test_a_pile_stays_small() -> None:
    """It is counted without being asked for when it has grown."""
    counted: list[int] = []
    pile = Pile(lambda seen: counted.append(sum(map(len, seen.values()))))
    for _ in range(2 * MOST):
        pile.put(("a", "ok"), 0.1)
    assert counted == [MOST, MOST]


@pytest.mark.usefixtures("_busy_threads")
def test_threads_that_put_and_ask_lose_nothing() -> None:
    """What one thread puts while another counts is counted next."""
    total = [0]

    def count(seen: Mapping[Labels, Sequence[float]]) -> None:
        total[0] += sum(map(len, seen.values()))

    pile = Pile(count)

    def work() -> None:
        for number in range(3_000):
            pile.put(("a", "ok"), 0.1)
            if number % 10 == 0:
                pile.settle()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pile.settle()
    assert total == [12_000]


def test_who_reads_a_metric_reads_all_of_it() -> None:
    """A scrape, a single value and the statistics of the day count first what waits."""
    metrics = Metrics()
    metrics.message("a.b", "ok", 0.25)
    assert metrics.responses() == (1, 0.25)
    metrics.api("sendMessage", "200", 7.0)
    labels = {"method": "sendMessage"}
    read = metrics.registry.get_sample_value
    assert read("bot_api_duration_seconds_bucket", {**labels, "le": "5.0"}) == 0
    assert read("bot_api_duration_seconds_bucket", {**labels, "le": "30.0"}) == 1
    assert read("bot_api_requests_total", {**labels, "code": "200"}) == 1
