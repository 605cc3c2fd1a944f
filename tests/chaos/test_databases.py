"""The database away: nothing is lost or doubled, the process stays up and goes on by itself."""

from __future__ import annotations

import logging
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path

import psycopg2
import pytest
from peewee import OperationalError

from bot.testing import ChatKit
from database import Database, bind, open_database
from tests.chaos.accountant import Account
from tests.chaos.flow import Flow, Watched, done, require_clean, settle
from tests.chaos.servers import HAS_OWN_POSTGRES, OwnPostgres
from tests.leaks import tables_with_token

log = logging.getLogger(__name__)

PLUGINS = [Path(__file__).parent.parent / "bot" / "plugins"]
OWN = pytest.mark.skipif(not HAS_OWN_POSTGRES, reason="PostgreSQL's server is not installed")
POLLED = "bot_poll_last_success_timestamp_seconds"
RECOVERED = 5.0
"""Seconds from the end of a fault in which the bot is at work again."""


@pytest.fixture
def postgres() -> Iterator[OwnPostgres]:
    """A PostgreSQL that may be stopped."""
    postgres = OwnPostgres()
    postgres.start()
    yield postgres
    with closing(psycopg2.connect(postgres.url)) as connection:
        leaks = tables_with_token(connection.cursor())
    postgres.close()
    assert leaks == []


@contextmanager
def opened(folder: Path, url: str, **environ: str) -> Iterator[tuple[Watched, Database]]:
    """A town on a database of its own, with its tables."""
    town, database = Watched(folder, url, **environ), bind(open_database(url))
    try:
        town.make_tables(database)
        yield town, database
    finally:
        town.close()
        database.close_all()


def away(
    town: Watched,
    work: Callable[[], int],
    begin: Callable[[], object],
    end: Callable[[], object],
    seconds: float,
) -> float:
    """Take the database away for a while, and see `work` go on soon after.

    Gives how long ago, at the end of the outage, the last good getUpdates was, by the metrics: a
    person can see that nothing is taken in.
    """
    town.wait_for_handled(town.handled() + 30)
    begin()
    time.sleep(seconds)
    success = town.metric(POLLED)
    silent = time.time() - success
    end()
    back, before = time.monotonic(), work()
    town.wait_for(lambda: work() > before)
    at_work = town.wait_for(lambda: town.metric(POLLED) > success) - back
    log.info("at work %.2f s after the return", at_work)
    assert at_work <= RECOVERED, town.complaints()
    return silent


def crash(
    postgres: OwnPostgres, folder: Path, *, times: int, seconds: float, control: str = ""
) -> Account:
    """Stop the server again and again under 100 messages a second; account for all of them."""
    with opened(folder, postgres.url) as (town, database):
        bot = town.start(*control.split())
        with Flow(town) as flow:
            for _ in range(times):
                work = partial(committed, postgres.url)
                silent = away(town, work, postgres.crash, postgres.start, seconds)
                assert control or silent >= seconds / 2
        account = settle(town, database, flow)
        assert bot.poll() is None
        return account


def committed(url: str) -> int:
    """As `done`, by a connection of its own, since the server comes and goes."""
    with closing(psycopg2.connect(url, connect_timeout=2)) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT COUNT(*) FROM inbox WHERE state = 'done'")
        return sum(count for (count,) in cursor)


@OWN
def test_postgresql_crashes(postgres: OwnPostgres, tmp_path: Path) -> None:
    """Stopped at once and started again under load: 0 lost, 0 doubled, at work within 5 s."""
    require_clean(crash(postgres, tmp_path, times=1, seconds=1))


@OWN
@pytest.mark.long
def test_postgresql_crashes_five_times(postgres: OwnPostgres, tmp_path: Path) -> None:
    """The same, five times for ten seconds."""
    require_clean(crash(postgres, tmp_path, times=5, seconds=10))


HOLD = """
import sqlite3, sys
other = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
other.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.read()
other.execute("COMMIT")
"""


class Holder:
    """Another process that writes for long."""

    def __init__(self, path: Path) -> None:
        self._command = [sys.executable, "-c", HOLD, str(path)]
        self._process: subprocess.Popen[bytes] | None = None

    def begin(self) -> None:
        """Lock the file, and wait until that is done."""
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(self._command, stdin=pipe, stdout=pipe)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"held\n"

    def end(self) -> None:
        """Let the file go."""
        assert self._process is not None
        self._process.communicate()


def lock(folder: Path, *, times: int, seconds: float) -> Account:
    """Lock the file again and again under 100 messages a second; account for all of them."""
    path = folder / "test.db"
    holder = Holder(path)
    with opened(folder, f"sqlite:///{path}") as (town, database):
        bot = town.start()
        with Flow(town) as flow:
            for _ in range(times):
                silent = away(town, partial(done, database), holder.begin, holder.end, seconds)
                assert silent >= seconds / 2
        account = settle(town, database, flow)
        assert bot.poll() is None
        return account


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("patient", [True, False])
def test_sqlite_is_locked_for_a_moment(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, patient: bool
) -> None:
    """The poller waits until the file is free; without that it ends, and nobody is answered."""
    stop, failed = threading.Event(), list[Exception]()
    database.execute_sql("PRAGMA busy_timeout = 50")
    with ChatKit(PLUGINS, database=database) as kit, holding(tmp_path / "test.db") as let_go:
        poller = kit.core.seats[0].poller
        poller._wait = lambda *_: let_go()
        poller._received = lambda updates, _: stop.set() if updates else None
        if not patient:
            monkeypatch.setattr("bot.polling.is_outage", lambda _: False)
        kit.telegram.send(kit.bot_id, 1002, 1002, text="/ping")
        poller.run(stop, failed.append)
        assert [type(error) for error in failed] == ([] if patient else [OperationalError])
        let_go()
        while kit.core.crew.step():
            pass
        assert kit.bob.texts == (["pong"] if patient else [])


@contextmanager
def holding(path: Path) -> Iterator[Callable[[], None]]:
    """Lock a file as another process would; gives how to let it go."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")

        def let_go() -> None:
            if other.in_transaction:
                other.execute("COMMIT")

        yield let_go


@pytest.mark.long
def test_control_without_a_retry_a_lock_ends_the_process(tmp_path: Path) -> None:
    """The test sees a bot that takes a locked file for a mistake: it ends, or loses messages."""
    path = tmp_path / "test.db"
    holder = Holder(path)
    with opened(tmp_path, f"sqlite:///{path}") as (town, _):
        bot = town.start("no-retry")
        with Flow(town):
            town.wait_for_handled(30)
            holder.begin()
            assert bot.wait(40) != 0
            holder.end()


@pytest.mark.long
def test_sqlite_is_locked_five_times(tmp_path: Path) -> None:
    """Locked by another process for ten seconds, five times: 0 lost, 0 doubled, soon at work."""
    require_clean(lock(tmp_path, times=5, seconds=10))


class Disk:
    """A small disk of its own, to be filled."""

    def __init__(self, folder: Path, size: str) -> None:
        folder.mkdir()
        self._folder = folder
        self._filler = folder / "filler"
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=True)

    def fill(self) -> None:
        """Leave no room at all."""
        with self._filler.open("wb", buffering=0) as filler, suppress(OSError):
            while filler.write(b"x" * 4096):
                pass

    def free(self) -> None:
        """Give the room back."""
        self._filler.unlink()

    def close(self) -> None:
        """Take the disk away."""
        subprocess.run(["umount", "--lazy", self._folder], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """A disk of 8 MiB."""
    try:
        disk = Disk(tmp_path / "disk", "8m")
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("only root may mount a small disk")
    yield disk
    disk.close()


def fill(folder: Path, disk: Disk, *, times: int, seconds: float, control: str = "") -> Account:
    """Fill the disk under 100 messages a second, free it, account for all of them."""
    with opened(folder, f"sqlite:///{folder}/disk/test.db") as (town, database):
        bot = town.start(*control.split())

        def begin() -> None:
            disk.fill()
            seen = town.log.read_text().count("disk is full")
            town.wait_for(lambda: town.log.read_text().count("disk is full") > seen)

        with Flow(town) as flow:
            for _ in range(times):
                silent = away(town, partial(done, database), begin, disk.free, seconds)
                assert control or silent >= seconds / 2
        account = settle(town, database, flow)
        assert bot.poll() is None
        assert database.execute_sql("PRAGMA integrity_check").fetchall() == [("ok",)]
        return account


def test_the_disk_is_full(tmp_path: Path, disk: Disk) -> None:
    """No room under load: nothing is confirmed that is not kept, at work within 5 s of room."""
    require_clean(fill(tmp_path, disk, times=1, seconds=0.5))


@pytest.mark.long
def test_the_disk_is_full_three_times(tmp_path: Path, disk: Disk) -> None:
    """The same, three times for ten seconds."""
    require_clean(fill(tmp_path, disk, times=3, seconds=10))


@pytest.mark.parametrize("fault", ["crash", "fill"])
@pytest.mark.long
def test_control_confirming_anyway_loses(
    request: pytest.FixtureRequest, fault: str, tmp_path: Path
) -> None:
    """The harness sees losses: a bot that goes on when a commit failed loses messages."""
    if fault == "fill":
        account = fill(
            tmp_path, request.getfixturevalue("disk"), times=1, seconds=2, control="confirm-anyway"
        )
    else:
        account = crash(
            request.getfixturevalue("postgres"),
            tmp_path,
            times=1,
            seconds=2,
            control="confirm-anyway",
        )
    assert account.lost > 0
