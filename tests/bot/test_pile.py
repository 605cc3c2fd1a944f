"""The pile: what waits to be counted is counted once, whoever puts it and whoever asks."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Sequence

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
    pile = Pile(lambda labels, seen: counted.append((labels, list(seen))))
    pile.put(("a", "ok"), 0.5)
    pile.put(("b", "ok"), 0.1)
    pile.put(("a", "ok"), 0.2)
    assert counted == []
    pile.settle()
    pile.settle()
    assert sorted(counted) == [(("a", "ok"), [0.5, 0.2]), (("b", "ok"), [0.1])]


def test_a_pile_stays_small() -> None:
    """It is counted without being asked for when it has grown."""
    counted: list[int] = []
    pile = Pile(lambda _labels, seen: counted.append(len(seen)))
    for _ in range(2 * MOST):
        pile.put(("a", "ok"), 0.1)
    assert counted == [MOST, MOST]


@pytest.mark.usefixtures("_busy_threads")
def test_threads_that_put_and_ask_lose_nothing() -> None:
    """What one thread puts while another counts is counted next."""
    total = [0]

    def count(_labels: Labels, seen: Sequence[float]) -> None:
        total[0] += len(seen)

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


def test_who_counts_may_put_as_well() -> None:
    """A finalizer that runs while its thread counts does not wait for itself."""
    counted: list[int] = []

    def count(_labels: Labels, seen: Sequence[float]) -> None:
        counted.append(len(seen))
        for _ in range(2 * MOST if len(counted) == 1 else 0):
            pile.put(("b", "ok"), 0.1)

    pile = Pile(count)
    for _ in range(MOST):
        pile.put(("a", "ok"), 0.1)
    pile.settle()
    assert counted == [MOST, 2 * MOST]


def test_what_cannot_be_counted_takes_nothing_along() -> None:
    """Memory is out for a moment: the other labels are counted later, and nothing twice."""
    counted: list[Labels] = []

    def count(labels: Labels, _seen: Sequence[float]) -> None:
        if labels == ("b", "ok"):
            raise MemoryError
        counted.append(labels)

    pile = Pile(count)
    for name in "abc":
        pile.put((name, "ok"), 0.1)
    with pytest.raises(MemoryError):
        pile.settle()
    pile.settle()
    assert sorted(counted) == [("a", "ok"), ("c", "ok")]


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
