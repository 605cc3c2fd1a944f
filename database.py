"""The database: the one place that knows how SQLite and PostgreSQL differ."""

from __future__ import annotations

import fcntl
import re
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import datetime, timedelta
from operator import attrgetter
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import peewee
import psycopg2
from playhouse.pool import PooledPostgresqlDatabase, PooledSqliteDatabase
from psycopg2.extensions import TRANSACTION_STATUS_INTRANS

from outages import WriterBusy
from turnstile import Turnstile

WAIT = 10.0  # seconds for the turn to write, and for a connection of the pool
MIGRATING = 0x57EAD7  # key of the lock that one migrating process holds

_PRAGMAS = {
    "busy_timeout": 10_000,
    "journal_mode": "wal",
    "synchronous": "full",  # always: what follows a commit that missed the disk is lost with it
    "foreign_keys": 1,
    "cache_size": -1000,  # KiB for each of a few connections; the system keeps the file too
}
_READS = re.compile(r"\s*(SELECT|PRAGMA|EXPLAIN|SAVEPOINT|RELEASE|ROLLBACK)\b", re.IGNORECASE)


EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - naive and UTC, as the tables keep it


def now() -> datetime:
    """The time as the tables keep it: UTC, naive."""
    return EPOCH + timedelta(microseconds=time.time_ns() // 1000)


def unix(clock: Callable[[], datetime]) -> Callable[[], float]:
    """A clock in seconds of the epoch; of the real one without the detour, which costs a µs."""

    def seconds() -> float:
        return (clock() - EPOCH).total_seconds()

    return time.time if clock is now else seconds


def minute(at: datetime) -> tuple[datetime, datetime]:
    """The beginning of its minute and of the next: `last_activity_at` is not moved in between.

    A row whose indexed columns stay as they are is counted at a third of the cost.
    """
    since = at.replace(second=0, microsecond=0)
    return since, since + timedelta(minutes=1)


def as_param(at: datetime) -> datetime | str:
    """The time as a parameter for a new row; SQLite's driver takes long to turn it into text."""
    return at.isoformat(" ") if db.param == "?" else at


class Rows:
    """The whole result of a statement, behind the face of a cursor."""

    def __init__(self, cursor: sqlite3.Cursor) -> None:
        self.description = cursor.description
        self._rows = iter(cursor.fetchall())
        self.lastrowid = cursor.lastrowid
        self.rowcount = cursor.rowcount

    def __iter__(self) -> Iterator[Any]:
        return self._rows

    def fetchone(self) -> Any:
        """The next row, or None."""
        return next(self._rows, None)

    def fetchall(self) -> list[Any]:
        """The rows that were not read yet."""
        return list(self._rows)

    def close(self) -> None:
        """There is nothing left to close."""


class Sqlite(PooledSqliteDatabase):  # type: ignore[misc]
    """A SQLite file with one writer at a time in this process.

    Transactions and autocommitted writes queue at a turnstile instead of fighting over the file.
    Every result is read whole at once, as psycopg2 does: an open statement would hold the write
    lock, or a snapshot that the next write of its thread could not get out of.
    """

    local = True
    """Whether statements run in this process: another thread for them would only be in the way."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._writer = Turnstile()
        super().__init__(
            str(path),
            max_connections=None,
            pragmas=_PRAGMAS,
            lock_type="IMMEDIATE",
            returning_clause=True,
            check_same_thread=False,
        )

    def begin(self, lock_type: str | None = None) -> None:
        """Wait for the turn to write, then begin. Raises OperationalError after ten seconds."""
        if not (nested := self._writer.mine()):
            self._take_turn()
        try:
            super().begin(lock_type)
        except BaseException:
            if not nested:
                self._writer.release()
            raise

    def commit(self) -> None:
        """Commit, and let the next thread write; after an error the turn lasts to the rollback."""
        super().commit()
        self._end_turn()

    def rollback(self) -> None:
        """Undo; SQLite may have done so by itself, after a full disk for one."""
        try:
            if self.connection().in_transaction:
                super().rollback()
        finally:
            self._end_turn()

    def execute_sql(self, sql: str, params: Sequence[Any] | None = None) -> Any:
        """Run one statement; a write outside a transaction waits for its turn."""
        if self._writer.mine() or _READS.match(sql):
            return Rows(super().execute_sql(sql, params))
        self._take_turn()
        try:
            return Rows(super().execute_sql(sql, params))
        finally:
            self._end_turn()

    def serialise(self, key: int) -> None:
        """Let one transaction at a time pass: the one writer sees to it already."""

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold the migration lock; foreign keys sleep, so that a rebuilt table keeps its rows."""
        self._make_folder()
        with Path(f"{self.path}.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            with self.connection_context():
                self.execute_sql("PRAGMA foreign_keys = 0")
                try:
                    yield
                finally:
                    self.execute_sql("PRAGMA foreign_keys = 1")

    def orphans(self) -> list[str]:
        """Rows that point at nothing, one sentence each; foreign keys slept for a while."""
        rows = self.execute_sql("PRAGMA foreign_key_check").fetchall()
        return [f"{table} row {row} points at no row of {parent}" for table, row, parent, _ in rows]

    def _connect(self) -> Any:
        if not self._connections:  # none of the pool's is free: a new one is made
            self._make_folder()
        return super()._connect()

    def _make_folder(self) -> None:
        with suppress(OSError):  # who opens the file then says what is wrong
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)

    def _take_turn(self) -> None:
        if not self._writer.acquire(WAIT):
            raise WriterBusy(f"database is locked: other threads write for {WAIT:.0f} s")

    def _end_turn(self) -> None:
        if self._writer.mine():
            self._writer.release()


class Durable(psycopg2.extensions.connection):
    """A connection whose commits wait for the disk, also where the server would not."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.autocommit = True
        with self.cursor() as cursor:
            cursor.execute(
                "SELECT set_config('synchronous_commit', 'on', false)"
                " WHERE current_setting('synchronous_commit') = 'off'"
            )


_OPTIONS: dict[str, Any] = {
    "connect_timeout": 5,
    "application_name": "steadygram",
    # A server whose machine or network is gone without a word is given up after a minute at most,
    # and not after the two hours, or the quarter of one, that the system would wait.
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
    "client_encoding": "UTF8",  # what people write has every letter, whatever the server's default
}


class Postgres(PooledPostgresqlDatabase):  # type: ignore[misc]
    """PostgreSQL: `pool` connections are kept, `overflow` more are opened at need."""

    local = False

    def __init__(self, url: str, *, pool: int, overflow: int) -> None:
        self._kept = pool
        options = {name: value for name, value in _OPTIONS.items() if f"{name}=" not in url}
        options["connection_factory"] = Durable
        super().__init__(url, pool + overflow, stale_timeout=300, timeout=WAIT, **options)

    def cursor(self, named_cursor: str | None = None) -> Any:
        """A cursor; outside a transaction a connection that was lost is replaced."""
        state = self._state
        if not state.closed and state.conn.closed and not state.transactions:
            contexts = state.ctx
            self.close()
            self.connect()
            state.ctx = contexts
        return super().cursor(named_cursor)

    def commit(self) -> None:
        """Commit; raises where the server would take a COMMIT that commits nothing."""
        if not self.is_closed():
            conn = self._state.conn
            if conn.closed:  # `cursor` would make a new one
                lost = "the connection was lost before the commit"
                raise peewee.InterfaceError(psycopg2.InterfaceError(lost))
            if conn.info.transaction_status != TRANSACTION_STATUS_INTRANS:
                raise peewee.InternalError("there is nothing to commit, or it failed before")
        super().commit()

    def rollback(self) -> None:
        """Undo; when the connection is gone the server has done so."""
        if self.is_closed() or not self._state.conn.closed:
            super().rollback()

    def serialise(self, key: int) -> None:
        """Wait until no other open transaction has passed here with the same key."""
        self.execute_sql("SELECT pg_advisory_xact_lock(%s)", (key,))

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold the migration lock, on a connection of its own."""
        with closing(self._adapter.connect(self, **self.connect_params)) as own:
            own.autocommit = True
            own.cursor().execute("SELECT pg_advisory_lock(%s)", (MIGRATING,))
            with self.connection_context():
                yield

    def orphans(self) -> list[str]:
        """Rows that point at nothing: the server refuses them at once."""
        return []

    def begin_connection(self) -> Any:
        """Begin a connection beside the pool for a caller who polls it; it commits by itself."""
        options = {**self.connect_params, "connection_factory": None, "async_": True}
        return self._adapter.connect(self, **options)

    def _can_reuse(self, conn: Any) -> bool:
        if conn.info.parameter_status("default_transaction_read_only") == "on":
            return False  # made while the server took no writes: it stays so after that
        return len(self._connections) < self._kept and bool(super()._can_reuse(conn))


Database: TypeAlias = Sqlite | Postgres


class Bound(peewee.DatabaseProxy):
    """The database that was bound. Peewee's way to look an attribute up raises an error first."""

    param = property(attrgetter("obj.param"), doc="What stands for a value in its statements.")

    def execute_sql(self, sql: str, params: Sequence[Any] | None = None) -> Any:
        """Run one statement."""
        return self.obj.execute_sql(sql, params)


db = Bound()


def open_database(url: str, *, pool: int = 10, overflow: int = 20) -> Database:
    """The database behind a URL; nothing is connected yet. Raises ValueError, a sentence."""
    if url.startswith(("postgresql://", "postgres://")):
        return Postgres(url.replace("postgres:", "postgresql:", 1), pool=pool, overflow=overflow)
    path = urlsplit(url).path[1:]
    if url.startswith("sqlite:///") and path and path != ":memory:":
        if sqlite3.sqlite_version_info < (3, 35):
            raise ValueError(f"SQLite {sqlite3.sqlite_version} is too old: 3.35 is needed")
        return Sqlite(Path(path))
    raise ValueError("DATABASE_URL must be sqlite:///path/to/file.db or postgresql://…")


def bind(database: Database) -> Database:
    """Make a database the one that all models use."""
    db.initialize(database)
    return database


def current() -> Database:
    """The database that the models use, once `bind` was called."""
    return db.obj  # type: ignore[no-any-return]


@contextmanager
def reading() -> Iterator[None]:
    """A block in which no statement of this thread may write; no transaction may be open."""
    database = current()
    if database.param == "?":
        database.execute_sql("PRAGMA query_only = 1")
        try:
            yield
        finally:
            database.execute_sql("PRAGMA query_only = 0")
        return
    with database.atomic() as transaction:
        database.execute_sql("SET TRANSACTION READ ONLY")
        try:
            yield
        finally:
            transaction.rollback()
