"""SQLite: one writer at a time, and no open statement left behind."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import peewee
import pytest

import database as module
from database import Sqlite
from outages import WriterBusy, is_outage
from tests.together import failure, run_together
from turnstile import Turnstile

THREADS = 8


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Sqlite]:
    """An SQLite file with a table of one counter."""
    database = Sqlite(tmp_path / "new" / "test.db")
    database.execute_sql("CREATE TABLE counter (id INTEGER PRIMARY KEY, value INTEGER)")
    database.execute_sql("INSERT INTO counter VALUES (1, 0)")
    yield database
    database.close()
    database.close_all()


def value(database: Sqlite) -> int:
    """The counter."""
    return int(database.execute_sql("SELECT value FROM counter").fetchone()[0])


def test_sqlite_is_durable_and_checks_foreign_keys(sqlite: Sqlite) -> None:
    """WAL, FULL, ten seconds of patience and foreign keys hold on every connection."""
    pragmas = ("journal_mode", "synchronous", "busy_timeout", "foreign_keys")
    assert [sqlite.pragma(name) for name in pragmas] == ["wal", 2, 10_000, 1]


def test_threads_that_read_then_write_never_find_it_locked(sqlite: Sqlite) -> None:
    """Transactions and autocommitted writes of eight threads all succeed, and none is lost."""

    def transactions() -> None:
        with sqlite.connection_context():
            for _ in range(25):
                with sqlite.atomic():
                    old = value(sqlite)
                    sqlite.execute_sql("UPDATE counter SET value = ?", (old + 1,))

    def writes() -> None:
        with sqlite.connection_context():
            for _ in range(25):
                sqlite.execute_sql("UPDATE counter SET value = value + 1 RETURNING id").fetchone()

    run_together(*[transactions, writes] * (THREADS // 2))
    assert value(sqlite) == 25 * THREADS


def test_no_thread_starves(sqlite: Sqlite) -> None:
    """Of eight threads that write without a pause each gets its share."""
    turns: Counter[int] = Counter()
    start = threading.Barrier(THREADS)

    def write(me: int) -> None:
        with sqlite.connection_context():
            start.wait(5)
            until = time.monotonic() + 0.5
            while time.monotonic() < until:
                with sqlite.atomic():
                    sqlite.execute_sql("UPDATE counter SET value = value + 1")
                turns[me] += 1

    run_together(*[lambda me=me: write(me) for me in range(THREADS)])
    assert len(turns) == THREADS
    assert min(turns.values()) * 3 > max(turns.values())


def test_a_loop_over_rows_may_write(sqlite: Sqlite) -> None:
    """A thread that writes while it reads a result is not thrown out by another's write."""
    sqlite.execute_sql("INSERT INTO counter VALUES (2, 0), (3, 0)")

    def other() -> None:
        with sqlite.connection_context():
            sqlite.execute_sql("INSERT INTO counter (value) VALUES (0)")

    for (number,) in sqlite.execute_sql("SELECT id FROM counter"):
        run_together(other)
        sqlite.execute_sql("UPDATE counter SET value = 9 WHERE id = ?", (number,))
    rows = sqlite.execute_sql("SELECT COUNT(*) FROM counter WHERE value = 9")
    assert rows.fetchone() == (3,)


def test_an_unread_result_does_not_hold_the_writer(sqlite: Sqlite) -> None:
    """A statement whose rows nobody reads is over when it returns."""
    unread = sqlite.execute_sql("INSERT INTO counter (value) VALUES (1), (2) RETURNING id")
    other = sqlite3.connect(sqlite.path, timeout=0)
    other.execute("INSERT INTO counter (value) VALUES (3)")
    other.commit()
    other.close()
    assert len(unread.fetchall()) == 2
    unread.close()
    assert unread.fetchall() == []


def test_another_process_is_waited_for(sqlite: Sqlite) -> None:
    """A write waits while somebody else's transaction holds the file."""
    other = sqlite3.connect(sqlite.path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    threading.Timer(0.1, other.execute, ["COMMIT"]).start()
    with sqlite.atomic():
        sqlite.execute_sql("UPDATE counter SET value = 4")
    assert value(sqlite) == 4
    other.close()


def test_the_writer_is_free_after_an_error(sqlite: Sqlite) -> None:
    """A refused statement, a failed block and a failed begin leave the turn to others."""
    with pytest.raises(peewee.OperationalError):
        sqlite.execute_sql("UPDATE missing SET value = 1")

    def change_and_fail() -> None:
        with sqlite.atomic():
            sqlite.execute_sql("UPDATE counter SET value = 5")
            raise ZeroDivisionError

    assert isinstance(failure(change_and_fail), ZeroDivisionError)
    with pytest.raises(peewee.OperationalError):
        sqlite.begin("NONSENSE")
    run_together(lambda: sqlite.execute_sql("UPDATE counter SET value = value + 1"))
    assert value(sqlite) == 1


def test_beginning_twice_is_an_error_and_no_deadlock(sqlite: Sqlite) -> None:
    """SQLite's own error comes at once when a thread begins inside its transaction."""
    with sqlite.atomic():
        assert "within a transaction" in str(failure(sqlite.begin))
        assert sqlite._writer.mine()
    run_together(lambda: sqlite.execute_sql("UPDATE counter SET value = 2"))


def test_a_turn_that_does_not_come_is_an_outage(
    sqlite: Sqlite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread that waits in vain for its turn gives up, and may come back later."""
    monkeypatch.setattr(module, "WAIT", 0.05)
    errors: list[BaseException] = []

    def write() -> None:
        errors.append(failure(lambda: sqlite.execute_sql("UPDATE counter SET value = 6")))

    with sqlite.atomic():
        run_together(write, write)
    assert [type(error) for error in errors] == [WriterBusy, WriterBusy]
    assert all(is_outage(error) for error in errors)
    run_together(lambda: sqlite.execute_sql("UPDATE counter SET value = 7"))
    assert value(sqlite) == 7


def test_a_transaction_that_sqlite_ended_by_itself_is_told_by_its_cause(sqlite: Sqlite) -> None:
    """After a full disk the error is that of the disk, and others may write again."""
    sqlite.execute_sql(f"PRAGMA max_page_count = {sqlite.pragma('page_count')}")

    def fill() -> None:
        with sqlite.atomic():
            for _ in range(1000):
                sqlite.execute_sql("INSERT INTO counter (value) VALUES (?)", ("x" * 1000,))

    error = failure(fill)
    assert "full" in str(error) and is_outage(error)
    assert not sqlite._writer.mine()
    sqlite.execute_sql("PRAGMA max_page_count = 100000")
    fill()


def test_a_turnstile_keeps_the_order() -> None:
    """Threads are served in the order in which they came."""
    turnstile, served = Turnstile(), []
    assert turnstile.acquire(1)

    def pass_through(me: int) -> None:
        assert turnstile.acquire(5)
        served.append(me)
        turnstile.release()

    threads = []
    for me in range(6):
        threads.append(threading.Thread(target=pass_through, args=(me,)))
        threads[-1].start()
        while len(turnstile._queue) <= me:
            time.sleep(0.001)
    turnstile.release()
    for thread in threads:
        thread.join()
    assert served == list(range(6))


def test_a_turn_that_comes_at_the_last_moment_is_taken() -> None:
    """A thread that was given the turn while it gave up has it, so that it is never lost."""
    turnstile = Turnstile()
    assert turnstile.acquire(1)
    assert turnstile._leave(threading.get_ident(), threading.Lock())
