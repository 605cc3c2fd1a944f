"""The panel's processes killed and renewed, its database away, its visitors slow: it answers."""

from __future__ import annotations

import logging
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import Self

import pytest

from database import Database, bind, now, open_database
from services import migrations, sessions
from staff import Admin, StaffRole
from tests.admin.serving import READY, Answer, Load, Served, kill
from tests.chaos.servers import HAS_OWN_POSTGRES, OwnPostgres

log = logging.getLogger(__name__)

RECOVERED = 5.0
"""Seconds from the return of the database in which the panel works again."""
AT_ONCE = 1.0
"""Seconds in which /healthz answers, whatever others do."""


@pytest.fixture
def tables(empty_database_url: str) -> Iterator[str]:
    """The address of a database with the tables."""
    database = migrated(empty_database_url)
    yield empty_database_url
    database.close_all()


def migrated(url: str) -> Database:
    """A bound database with the tables; nothing is connected to it."""
    database = bind(open_database(url))
    migrations.migrate(database, [migrations.core()])
    database.close_all()
    return database


def sign_in() -> dict[str, str]:
    """The headers of a viewer's browser."""
    admin = Admin.create(name="vera", role=StaffRole.VIEWER)
    token = sessions.begin(admin, address="127.0.0.1", agent="tests", at=now())
    return {"Cookie": f"steadygram={token}"}


class Watcher:
    """Reads the metrics again and again; a number that went down is noted."""

    def __init__(self, served: Served) -> None:
        self.fallen: list[str] = []
        self._served = served
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        before = self._served.counts()
        while not self._stop.wait(0.05):
            after = self._served.counts()
            self.fallen += [name for name in before if after.get(name, -1.0) < before[name]]
            before = after


def trouble(
    folder: Path, url: str, *options: str, kills: int, hups: int, rate: float = 80
) -> tuple[int, int]:
    """Kill workers, and renew all of them, under load; how many requests failed in either time."""
    with Served(folder, url, *options) as served:
        with Load(served, "/login", rate=rate) as load, Watcher(served) as watcher:
            for _ in range(kills):
                kill_one(served)
                load.wait_for(10)
            killed = len(load.failures)
            for _ in range(hups):
                renew(served)
                load.wait_for(10)
        failed = len(load.failures)
        log.info("%d answered, failed: %s", load.answers.total(), load.failures)
        assert set(load.answers) == {200} and watcher.fallen == []
        counted = served.counts()['panel_http_request_total{method="GET",status="200"}']
        assert load.answers.total() <= counted <= load.answers.total() + failed
        return killed, failed - killed


def kill_one(served: Served) -> None:
    """Kill a worker, and wait until there is another."""
    ready = served.said(READY)
    kill(served.workers()[0])
    served.wait_for(lambda: served.said(READY) > ready)


def renew(served: Served) -> None:
    """Send a HUP, and wait until the old workers are gone and new ones are there."""
    ready, old = served.said(READY), set(served.workers())
    served.process.send_signal(signal.SIGHUP)
    served.wait_for(lambda: served.said(READY) >= ready + 2)
    served.wait_for(lambda: not old.intersection(served.workers()))


def test_workers_are_killed_and_renewed(tables: str, tmp_path: Path) -> None:
    """At most one request fails for a kill, none for a HUP, and no count is lost."""
    killed, renewed = trouble(tmp_path, tables, kills=1, hups=1)
    assert killed <= 1 and renewed == 0


@pytest.mark.long
def test_workers_are_killed_ten_times_and_renewed_three(tables: str, tmp_path: Path) -> None:
    """The same, again and again."""
    killed, renewed = trouble(tmp_path, tables, kills=10, hups=3)
    assert killed <= 10 and renewed == 0


@pytest.mark.long
def test_control_a_socket_for_each_worker_fails_requests(tables: str, tmp_path: Path) -> None:
    """The test sees requests that fail: those that wait at the socket of a worker that ends."""
    runs = (trouble(tmp_path, tables, "--reuse-port", kills=0, hups=6, rate=400) for _ in range(5))
    assert any(renewed for _, renewed in runs), "a socket seldom has somebody in it as it closes"


def test_the_database_goes_and_comes_back(tmp_path: Path) -> None:
    """Pages are clean 503s meanwhile, nobody gets in by it, and soon all is as it was."""
    outage(tmp_path, seconds=0.5, times=1)


@pytest.mark.long
def test_the_database_goes_five_times(tmp_path: Path) -> None:
    """The same, five times, and for longer."""
    outage(tmp_path, seconds=5, times=5)


@pytest.mark.long
def test_control_an_outage_that_is_not_known_is_no_clean_answer(tmp_path: Path) -> None:
    """The test sees a panel that takes the lost database for a mistake of its own."""
    with pytest.raises(AssertionError, match="500"):
        outage(tmp_path, "tests.chaos.run_panel:app", seconds=1, times=1)


def outage(folder: Path, *options: str, seconds: float, times: int) -> None:
    """Stop PostgreSQL under a visitor who is signed in, one with an invented cookie, and nobody."""
    if not HAS_OWN_POSTGRES:
        pytest.skip("PostgreSQL's server is not installed")
    postgres = OwnPostgres()
    postgres.start()
    try:
        migrated(postgres.url)
        with Served(folder, postgres.url, *options) as served:
            right, wrong = sign_in(), {"Cookie": "steadygram=invented"}
            with (
                Load(served, "/", rate=20, headers=right) as known,
                Load(served, "/", rate=20, headers=wrong) as forger,
                Load(served, "/", rate=20) as nobody,
                Load(served, "/healthz", rate=20, timeout=RECOVERED) as probe,
            ):
                loads = (known, forger, nobody, probe)
                for _ in range(times):
                    for load in loads:
                        load.wait_for(1)  # each sees it as it is while all is well
                    go_away(postgres, served, right, seconds)
        said = [load.answers for load in loads]
        failures = [failure for load in loads for failure in load.failures]
        assert failures == [], failures
        assert [set(each) for each in said] == [{200, 503}, {302, 503}, {302, 503}, {200}], said
    finally:
        postgres.close()


def go_away(postgres: OwnPostgres, served: Served, headers: dict[str, str], seconds: float) -> None:
    """Stop the server for a while; look at what is said then, and how soon all works again."""
    served.wait_for(lambda: served.get("/", headers=headers).status == 200)
    postgres.crash()
    served.wait_for(lambda: served.get("/", headers=headers).status != 200)
    require_clean(served.get("/", headers=headers))
    served.wait_for(lambda: served.get("/readyz").json.get("database") == "cannot be reached")
    time.sleep(seconds)
    postgres.start()
    back = time.monotonic()
    served.wait_for(lambda: served.get("/", headers=headers).status == 200)
    served.wait_for(lambda: served.get("/readyz").json["database"] == "ok")
    assert time.monotonic() - back <= RECOVERED


def require_clean(answer: Answer) -> None:
    """A page that says what is wrong and when to come back, and nothing of how it is made."""
    assert answer.status == 503, answer.status
    assert answer.headers["Retry-After"] == "2"
    assert "The database cannot be reached." in answer.text
    assert answer.headers["X-Request-ID"] in answer.text
    for secret in ("psycopg2", "Traceback", "127.0.0.1", "postgres"):
        assert secret not in answer.text


FORM = b"POST /login HTTP/1.1\r\nHost: panel\r\nContent-Type: application/x-www-form-urlencoded\r\n"
SLOW = {
    "nothing": b"",
    "half a head": b"GET / HTTP/1.1\r\nHost: panel\r\nX-Slow: ",
    "half a body": FORM + b"Content-Length: 5000\r\n\r\nname=",
    "half a chunk": FORM + b"Transfer-Encoding: chunked\r\n\r\n9\r\nname=",
    "a body too large": FORM + b"Content-Length: 9999999\r\n\r\nname=",
    "no goodbye": b"GET /healthz HTTP/1.1\r\nHost: panel\r\nConnection: close\r\n\r\n",
}


def slow_down(
    folder: Path, *options: str, visitors: int, kinds: list[str]
) -> dict[str, list[float]]:
    """Let many visitors send a little of a request; how long /healthz takes, for each kind."""
    database = f"sqlite:///{folder / 'test.db'}"
    migrated(database)
    with Served(folder, database, *options) as served:
        return {kind: probe(served, SLOW[kind], visitors) for kind in kinds}


def probe(served: Served, begun: bytes, visitors: int) -> list[float]:
    """How long /healthz takes, a few times, while visitors hold their connections."""
    slow = [socket.create_connection(("127.0.0.1", served.port)) for _ in range(visitors)]
    took = []
    for one in slow:
        one.sendall(begun)
    for _ in range(5):
        since = time.monotonic()
        with suppress(TimeoutError):
            served.get("/healthz", timeout=2 * AT_ONCE)
        took.append(time.monotonic() - since)
        for one in slow[::10]:
            with suppress(OSError):
                one.send(b"x")
    for one in slow:
        one.close()
    return took


def test_slow_visitors_keep_nobody_out(tmp_path: Path) -> None:
    """More of them than there are threads, with half of a request each: /healthz answers."""
    took = slow_down(tmp_path, visitors=40, kinds=["half a head", "half a body"])
    assert all(median(each) < AT_ONCE for each in took.values()), took


@pytest.mark.long
def test_two_hundred_slow_visitors_keep_nobody_out(tmp_path: Path) -> None:
    """The same for every way of being slow."""
    took = slow_down(tmp_path, visitors=200, kinds=list(SLOW))
    log.info("the slowest /healthz: %s", took)
    assert all(max(each) < AT_ONCE for each in took.values()), took


@pytest.mark.long
def test_control_a_thread_for_each_visitor_keeps_others_out(tmp_path: Path) -> None:
    """The test sees it: gunicorn's own worker gives a thread to whoever connects."""
    (took,) = slow_down(tmp_path, "-k", "gthread", visitors=200, kinds=["half a head"]).values()
    assert min(took) >= AT_ONCE


def test_a_body_that_is_too_large_is_refused_at_once(tmp_path: Path) -> None:
    """413 before it is read, and the visitor who sends all of it sees the answer."""
    database = f"sqlite:///{tmp_path / 'test.db'}"
    migrated(database)
    with Served(tmp_path, database) as served:
        for size in (2, 50):
            since = time.monotonic()
            form = {"Content-Type": "application/x-www-form-urlencoded"}
            answer = served.ask("POST", "/login", body=b"x" * (size * 2**20), headers=form)
            assert answer.status == 413 and time.monotonic() - since < AT_ONCE


def test_threads_wait_for_a_connection(tables: str, tmp_path: Path) -> None:
    """Sixteen threads of one worker, all busy: each gets a connection to the database."""
    environ = {"ADMIN_WORKERS": "1", "ADMIN_THREADS": "16"}
    headers = sign_in()
    with Served(tmp_path, tables, **environ) as served:
        with Load(served, "/", visitors=32, rate=100_000, headers=headers) as load:
            load.wait_for(300)
        assert (set(load.answers), load.failures) == ({200}, [])
