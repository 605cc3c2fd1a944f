"""PostgreSQL: a pool that grows at need and replaces what was lost."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import peewee
import psycopg2
import pytest
from playhouse.pool import MaxConnectionsExceeded

from database import Postgres, open_database
from outages import is_outage
from tests.together import failure


@pytest.fixture
def postgres(postgres_url: str) -> Iterator[Postgres]:
    """PostgreSQL with a pool of two, two more at need, that waits a moment for a connection."""
    database = Postgres(postgres_url, pool=2, overflow=2)
    database._wait_timeout = 0.2
    yield database
    if not database.is_closed():
        database.close()
    database.close_all()


def connections(database: Postgres) -> int:
    """How many connections of this database the server has, our own look included."""
    sql = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database()"
    return int(database.execute_sql(sql).fetchone()[0])


def kill_connection(database: Postgres, url: str) -> None:
    """Have the server end the calling thread's connection, as a restart does."""
    pid = database._state.conn.info.backend_pid
    other = psycopg2.connect(url)
    other.cursor().execute("SELECT pg_terminate_backend(%s, 2000)", (pid,))
    other.close()


def test_the_pool_keeps_some_and_opens_more_at_need(postgres: Postgres) -> None:
    """Two connections stay when four were in use at once, and a fifth has to wait."""
    barrier, done = threading.Barrier(5), threading.Event()

    def hold() -> None:
        with postgres.connection_context():
            barrier.wait(5)
            done.wait(5)

    holders = [threading.Thread(target=hold) for _ in range(4)]
    for holder in holders:
        holder.start()
    barrier.wait(5)
    error = failure(postgres.connect)
    assert isinstance(error, MaxConnectionsExceeded) and is_outage(error)
    done.set()
    for holder in holders:
        holder.join()
    deadline = time.monotonic() + 5  # the server forgets a closed connection a moment later
    while connections(postgres) != 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert connections(postgres) == 2


def test_an_idle_connection_that_was_lost_is_replaced(
    postgres: Postgres, postgres_url: str
) -> None:
    """A connection that died in the pool is not handed out."""
    with postgres.connection_context():
        kill_connection(postgres, postgres_url)
    with postgres.connection_context():
        assert postgres.execute_sql("SELECT 1").fetchone() == (1,)


def test_a_connection_of_a_read_only_spell_is_not_kept(
    postgres: Postgres, postgres_url: str
) -> None:
    """It would refuse writes for as long as it lives, although the server takes them again."""
    with closing(psycopg2.connect(postgres_url)) as other:
        other.autocommit = True
        name, cursor = other.info.dbname, other.cursor()
        cursor.execute("CREATE TABLE counter (value INTEGER)")
        cursor.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        try:
            with postgres.connection_context():
                error = failure(lambda: postgres.execute_sql("INSERT INTO counter VALUES (1)"))
                assert is_outage(error)
        finally:
            cursor.execute("SET default_transaction_read_only = off")
            cursor.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
    with postgres.connection_context():
        postgres.execute_sql("INSERT INTO counter VALUES (2)")


def test_a_held_connection_that_was_lost_is_replaced(postgres: Postgres, postgres_url: str) -> None:
    """The statement that finds the loss fails as an outage, the next one works, nested as it is."""
    with postgres.connection_context():
        kill_connection(postgres, postgres_url)
        error = failure(lambda: postgres.execute_sql("SELECT 1"))
        assert is_outage(error)
        assert postgres.execute_sql("SELECT 2").fetchone() == (2,)
    assert postgres.is_closed()


def test_a_transaction_whose_connection_was_lost_says_so(
    postgres: Postgres, postgres_url: str
) -> None:
    """The loss inside a transaction is raised itself, not what the rollback makes of it."""

    def lose() -> None:
        with postgres.atomic():
            kill_connection(postgres, postgres_url)
            postgres.execute_sql("SELECT 1")

    error = failure(lose)
    assert re.search("terminating|terminated", str(error)) and is_outage(error)
    with postgres.atomic():
        assert postgres.execute_sql("SELECT 3").fetchone() == (3,)


def test_a_loss_that_nobody_heeds_is_no_commit(postgres: Postgres, postgres_url: str) -> None:
    """Also where the error of the statement is swallowed: the writes are gone, and it is said."""
    postgres.execute_sql("CREATE TABLE counter (value INTEGER)")

    def lose() -> None:
        with postgres.atomic():
            postgres.execute_sql("INSERT INTO counter VALUES (1)")
            kill_connection(postgres, postgres_url)
            failure(lambda: postgres.execute_sql("SELECT 1"))

    assert is_outage(failure(lose))
    with postgres.atomic():
        assert postgres.execute_sql("SELECT COUNT(*) FROM counter").fetchone() == (0,)


def test_a_transaction_that_failed_is_no_commit(postgres: Postgres) -> None:
    """The server takes its COMMIT and keeps nothing: that is an error, a mistake like its cause."""
    postgres.execute_sql("CREATE TABLE counter (value INTEGER)")

    def fail() -> None:
        with postgres.atomic():
            postgres.execute_sql("INSERT INTO counter VALUES (1)")
            failure(lambda: postgres.execute_sql("SELECT 1 / 0"))

    error = failure(fail)
    assert isinstance(error, peewee.InternalError) and not is_outage(error)
    with postgres.atomic():
        assert postgres.execute_sql("SELECT COUNT(*) FROM counter").fetchone() == (0,)


def test_options_of_the_url_win(postgres_url: str) -> None:
    """What the URL says of the connection is not overruled."""
    database = open_database(f"{postgres_url}?application_name=mine")
    assert database.execute_sql("SHOW application_name").fetchone() == ("mine",)
    database.close()
    database.close_all()


def test_a_server_that_is_gone_is_given_up(postgres: Postgres) -> None:
    """Each connection, those beside the pool too, finds out within a minute."""
    with postgres.connection_context(), closing(postgres.begin_connection()) as own:
        for connection in (postgres.connection(), own):
            used = connection.info.dsn_parameters
            waits = [int(used[f"keepalives_{name}"]) for name in ("idle", "interval", "count")]
            assert waits[0] + waits[1] * waits[2] <= 60
            assert int(used["tcp_user_timeout"]) <= 60_000
    other = open_database("postgresql://127.0.0.1/x?keepalives_idle=7&tcp_user_timeout=0")
    assert not {"keepalives_idle", "tcp_user_timeout"} & {*other.connect_params}


def test_every_letter_can_be_written(monkeypatch: pytest.MonkeyPatch, postgres: Postgres) -> None:
    """Also where the surroundings would have another encoding."""
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    with postgres.connection_context():
        assert postgres.execute_sql("SELECT %s", ("привет 🙂",)).fetchone() == ("привет 🙂",)


@pytest.mark.parametrize(("given", "used"), [("off", "on"), ("local", "local")])
def test_a_commit_waits_for_the_disk(postgres_url: str, given: str, used: str) -> None:
    """Where the server's default is not to wait, a session of ours does; what waits is left."""
    database = Postgres(
        f"{postgres_url}?options=-csynchronous_commit%3D{given}", pool=1, overflow=0
    )
    setting = database.execute_sql("SHOW synchronous_commit").fetchone()[0]
    database.close_all()
    assert setting == used
