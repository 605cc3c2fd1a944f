"""Outages: what may work when it is tried again, and what is a mistake."""

from __future__ import annotations

import socket
import sqlite3
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import peewee
import psycopg2
import psycopg2.errors
import pytest
from playhouse.pool import MaxConnectionsExceeded

from database import Database, Postgres, Sqlite, open_database
from models import User
from outages import WriterBusy, is_outage, is_refusal
from tests.ports import free_port
from tests.together import failure


def refused() -> str:
    """The address of a server that does not answer."""
    return f"postgresql://127.0.0.1:{free_port()}/x"


def hanging_up() -> str:
    """The address of a server that closes every connection at once, as one that stops does."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        listener.accept()[0].close()
        listener.close()

    threading.Thread(target=serve).start()
    return (
        f"postgresql://127.0.0.1:{listener.getsockname()[1]}/x?sslmode=disable&gssencmode=disable"
    )


@pytest.mark.parametrize("url", [refused, hanging_up])
def test_an_unreachable_server_is_an_outage(url: Callable[[], str]) -> None:
    """A refused connection and one that is closed at once may work later."""
    assert is_outage(failure(open_database(url()).connect))


def test_a_closed_connection_is_an_outage(postgres_url: str) -> None:
    """`connection already closed` and its like come from a loss."""
    connection = psycopg2.connect(postgres_url)
    connection.close()
    error = failure(connection.cursor)
    assert isinstance(error, psycopg2.InterfaceError) and is_outage(error)


@pytest.mark.parametrize(
    "code",
    [
        *("57P01", "57P02", "57P03", "53300", "53100", "08006", "40P01", "40001", "55P03"),
        *("25006", "57014"),
    ],
)
def test_what_the_server_says_of_its_own_state_is_an_outage(code: str) -> None:
    """Shutdown, start, no room, a deadlock, a read-only standby and a statement's time pass."""

    class FromServer(psycopg2.errors.lookup(code)):  # type: ignore[misc]
        pgcode = code

    assert is_outage(peewee.OperationalError(FromServer()))


def test_an_error_may_be_its_own_cause() -> None:
    """Or one of a ring; and what another library calls `orig` need not be an error."""
    own, first, second = ValueError("own"), ValueError("first"), ValueError("second")
    own.__cause__, first.__cause__, second.__cause__ = own, second, first
    first.orig = "a text"  # type: ignore[attr-defined]
    assert not is_outage(own) and not is_outage(first)
    second.__cause__ = psycopg2.OperationalError("server closed the connection unexpectedly")
    assert is_outage(first)


def test_a_missing_database_and_a_wrong_password_are_mistakes(postgres_url: str) -> None:
    """Trying again does not make a database or a password right."""
    error = failure(open_database(f"{postgres_url}_not_there").connect)
    assert "does not exist" in str(error) and not is_outage(error)
    wrong = psycopg2.OperationalError('password authentication failed for user "x"')
    assert not is_outage(wrong)


MISTAKES = """
SELEKT 1;
SELECT * FROM not_there;
SELECT not_there FROM users;
INSERT INTO users (telegram_id) VALUES (2);
INSERT INTO users (telegram_id, first_name, created_at, updated_at)
    VALUES (1, 'B', '2030-01-01', '2030-01-01');
INSERT INTO analytics_events (event_type, user_id, created_at, updated_at)
    VALUES ('x', 99, '2030-01-01', '2030-01-01')
"""


def test_mistakes_are_no_outages(database: Database) -> None:
    """Wrong SQL, a missing table, a doubled key, a missing parent and bad data stay mistakes."""
    User.create(telegram_id=1, first_name="A")
    mark = database.param
    for sql in MISTAKES.split(";"):
        assert not is_outage(failure(partial(database.execute_sql, sql)))
    unfit = (f"SELECT * FROM users WHERE telegram_id = {mark}", (object(),))
    error = failure(lambda: database.execute_sql(*unfit))
    assert not is_outage(error) and is_refusal(error)
    if isinstance(database, Postgres):
        assert not is_outage(failure(lambda: database.execute_sql("SELECT 1 / 0")))
        assert not is_outage(failure(lambda: database.execute_sql("SELECT 'x'::int")))


def test_a_refused_value_stays_refused(database: Database) -> None:
    """A missing parent, and what is no value at all; what a server lacks may be back."""
    refused = failure(partial(database.execute_sql, MISTAKES.rsplit(";", maxsplit=1)[-1]))
    assert is_refusal(refused) and is_refusal(OverflowError()) and is_refusal(UnicodeError())
    missing = failure(partial(database.execute_sql, "SELECT * FROM not_there"))
    assert is_refusal(missing) is isinstance(database, Sqlite)
    gone = psycopg2.OperationalError('FATAL:  database "bot" does not exist')
    assert not is_refusal(peewee.OperationalError(gone)) and not is_refusal(MemoryError())
    assert not is_refusal(MaxConnectionsExceeded())


def test_a_locked_or_unwritable_file_is_an_outage(tmp_path: Path) -> None:
    """Somebody else's lock, a read-only file and a folder that cannot be opened may pass."""
    sqlite = Sqlite(tmp_path / "test.db")
    sqlite.execute_sql("CREATE TABLE counter (value INTEGER)")
    write = "UPDATE counter SET value = 8"
    sqlite.execute_sql("PRAGMA busy_timeout = 0")
    other = sqlite3.connect(sqlite.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    locked = failure(lambda: sqlite.execute_sql(write))
    assert "locked" in str(locked) and is_outage(locked)
    assert is_outage(failure(sqlite.begin))
    other.close()
    sqlite.execute_sql("PRAGMA query_only = 1")
    readonly = failure(lambda: sqlite.execute_sql(write))
    assert "readonly" in str(readonly) and is_outage(readonly)
    (tmp_path / "file").touch()
    sqlite.close()
    sqlite.close_all()
    unopened = failure(Sqlite(tmp_path / "file" / "test.db").connect)
    assert "unable to open" in str(unopened) and is_outage(unopened)


def test_a_broken_disk_is_an_outage() -> None:
    """An input or output error of the disk is judged by its code, in all its variants."""
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
    assert is_outage(peewee.OperationalError(error))


def test_the_cause_of_an_error_is_looked_at() -> None:
    """An error that was raised from an outage is one; one that merely came after it is not."""
    outer = RuntimeError("could not commit")
    outer.__cause__ = WriterBusy()
    assert is_outage(outer)
    outer = RuntimeError("a handler's own")
    outer.__context__ = WriterBusy()
    assert not is_outage(outer)
    assert not is_outage(None)
