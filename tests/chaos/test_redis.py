"""Redis away: it is a cache, so nothing is lost or doubled, and hardly anybody waits."""

from __future__ import annotations

import logging
import signal
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import pytest
import redis

from bot.throttle import Throttle, Verdict
from database import bind, open_database
from services.cache import PREFIX
from tests.chaos.accountant import balance
from tests.chaos.flow import Flow, Watched, require_clean, settle
from tests.chaos.proxy import Mode, Proxy
from tests.chaos.servers import HAS_OWN_REDIS, OwnRedis
from tests.chaos.town import HERE
from tests.together import run_together

pytestmark = pytest.mark.skipif(not HAS_OWN_REDIS, reason="redis-server is not installed")
log = logging.getLogger(__name__)

ADDED = 1.0
"""Seconds that a fault of Redis may add to the slowest hundredth."""
PAID = 0.25
"""Seconds by which an update is late that waited for Redis: its time limit is 0.3."""


@pytest.fixture
def server() -> Iterator[OwnRedis]:
    """A Redis that may be killed."""
    server = OwnRedis()
    server.start()
    yield server
    server.close()


@pytest.fixture
def proxy(server: OwnRedis) -> Iterator[Proxy]:
    """What stands between the bot and its Redis."""
    with closing(Proxy(server.port)) as proxy:
        yield proxy


Act = Callable[[], object]


def faults(server: OwnRedis, proxy: Proxy) -> dict[str, tuple[Act, Act]]:
    """How each fault begins and ends."""
    stop, go = (partial(server.send, number) for number in (signal.SIGSTOP, signal.SIGCONT))
    return {
        "killed and empty": (server.stop, server.start),
        "stopped": (stop, go),
        "hanging": (partial(setattr, proxy, "mode", Mode.HANG), partial(_mend, proxy)),
        "mute": (partial(setattr, proxy, "mode", Mode.MUTE), partial(_mend, proxy)),
        "torn down": (partial(setattr, proxy, "mode", Mode.RESET), partial(_mend, proxy)),
        "flushed": (server.client.flushall, server.client.flushall),
    }


def _mend(proxy: Proxy) -> None:
    proxy.mode = Mode.PASS


def disturb(town: Watched, flow: Flow, begin: Act, end: Act, seconds: float) -> list[float]:
    """Let a fault last for a while; give the delays of the messages that were sent in it."""
    first = len(flow.moments)
    begin()
    time.sleep(seconds)
    last = len(flow.moments)
    end()
    town.wait_for(lambda: len(flow.delays(first, last)) == last - first)
    return flow.delays(first, last)


def worst(delays: list[float]) -> float:
    """The 99th percentile."""
    return statistics.quantiles(delays, n=100)[98]


@contextmanager
def besieged(folder: Path, proxy: Proxy) -> Iterator[tuple[Watched, Flow]]:
    """A town under 100 messages a second, whose bot needs Redis for each; account for them all."""
    url = f"sqlite:///{folder}/test.db"
    environ = {"REDIS_URL": f"redis://127.0.0.1:{proxy.port}/0", "THROTTLE_RATE": "1000"}
    environ |= {"THROTTLE_BURST": "1000", "PLUGINS_PATH": str(HERE / "remembering")}
    town, database = Watched(folder, url, **environ), bind(open_database(url))
    with closing(town), closing(database):
        town.make_tables(database)
        bot = town.start()
        with Flow(town) as flow:
            town.wait_for_handled(30)
            yield town, flow
        assert bot.poll() is None
        require_clean(settle(town, database, flow))


def test_redis_fails(tmp_path: Path, server: OwnRedis, proxy: Proxy) -> None:
    """Killed, emptied, and hanging under load: 0 lost, 0 doubled, every message is answered.

    The control: the same count, kept in Redis alone, is wrong then.
    """
    with besieged(tmp_path, proxy) as (town, flow):
        for kind in ("killed and empty", "hanging"):
            disturb(town, flow, *faults(server, proxy)[kind], seconds=0.7)
    counts = {chat: int(server.client.get(f"{PREFIX}count:{chat}") or 0) for chat in flow.sent}
    assert balance(flow.sent, town.journal, counts).miscounted


@pytest.mark.long
@pytest.mark.parametrize(("times", "seconds"), [(1, 20), (5, 5)])
def test_nobody_waits_long_for_redis(
    tmp_path: Path, server: OwnRedis, proxy: Proxy, times: int, seconds: float
) -> None:
    """Every fault for 20 seconds, and five times for 5: p99 rises by at most a second.

    What waits for a Redis that does not answer is at most what came before it was noticed.
    """
    with besieged(tmp_path, proxy) as (town, flow):
        quiet = disturb(town, flow, int, int, seconds)
        calm, usual = worst(quiet), statistics.median(quiet)
        for kind, (begin, end) in [*faults(server, proxy).items()] * times:
            delays = disturb(town, flow, begin, end, seconds)
            paid = sum(delay > usual + PAID for delay in delays)
            log.info("%s: p99 %.3f s, calm %.3f s, paid %s", kind, worst(delays), calm, paid)
            assert worst(delays) <= calm + ADDED, (kind, town.complaints())
            assert paid <= 100, (kind, "each update pays for it")


@pytest.mark.parametrize("retry", [5.0, 0.0])
def test_one_update_finds_out_that_redis_hangs(
    server: OwnRedis, proxy: Proxy, retry: float
) -> None:
    """After the first, one update in five seconds waits; without that rest (0 s) each one does."""
    proxy.mode = Mode.HANG
    store = redis.Redis.from_url(f"redis://127.0.0.1:{proxy.port}", socket_timeout=0.1, retry=None)
    now = [0.0]
    throttle = Throttle(1000, 1000, store=store, retry=retry, clock=lambda: now[0])
    assert throttle.check(1) is Verdict.GO
    waited: list[float] = []

    def check() -> None:
        started = time.monotonic()
        throttle.check(1)
        waited.append(time.monotonic() - started)

    now[0] += 5.0
    run_together(*[check] * 20)
    assert (sum(seconds >= 0.1 for seconds in waited) == 1) == bool(retry)
    store.close()
