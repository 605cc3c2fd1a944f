"""What tests share: each engine that answers, databases of the run's own, a Redis of its own.

`database`            an open, bound database with empty tables; on SQLite and on PostgreSQL
`empty_database_url`  the address of a database without a table; on SQLite and on PostgreSQL
`postgres_url`        as above on PostgreSQL alone
`cache_url`           None (in-process) and the address of an empty Redis
`redis_url`           the address of an empty Redis

A test is made for PostgreSQL and Redis where they answer (TEST_DATABASE_URL, TEST_REDIS_URL or
their default ports); with CI=true it is always made, so that their absence is a failure.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
import psycopg2.extensions
import pytest
import redis

import trigrams
from database import Database, Postgres, Sqlite, bind, open_database
from staff import TABLES
from tests.leaks import Search, pytest_configure, tables_with_token  # noqa: F401  a hook

pytest_plugins = ["bot.testing"]

POSTGRES = os.environ.get("TEST_DATABASE_URL") or "postgresql://127.0.0.1:5432/postgres"
REDIS = os.environ.get("TEST_REDIS_URL") or "redis://127.0.0.1:6379"
REQUIRED = os.environ.get("CI") == "true"
CLAIM_SECONDS = 3600
EXAMPLES = Path(__file__).parent.parent / ".venv" / "telebot"
"""Where `make test` puts the source of pyTelegramBotAPI, which has the examples of its use."""


def on_postgres(name: str) -> str:
    """The address of a database beside the one that POSTGRES names."""
    return urlsplit(POSTGRES)._replace(path=f"/{name}").geturl()


def connect_postgres(url: str) -> psycopg2.extensions.connection:
    """A connection where each statement commits; a lock that a test left behind is an error."""
    connection = psycopg2.connect(url, connect_timeout=2, options="-c lock_timeout=5s")
    connection.autocommit = True
    return connection


def connect_redis(number: int = 0) -> redis.Redis:
    """A client of one of the server's numbered databases."""
    url = urlsplit(REDIS)._replace(path=f"/{number}").geturl()
    return redis.Redis.from_url(url, socket_connect_timeout=2, decode_responses=True)


def answers(connect: Callable[[], object]) -> bool:
    """Whether a service is there; where it is required we say so, and its absence fails tests."""
    try:
        connect()
    except (psycopg2.Error, redis.RedisError):
        return REQUIRED
    return True


def can_trace() -> bool:
    """Whether strace is there and the kernel lets it look; no machine is required to have it."""
    command = [
        shutil.which("strace") or "false",
        "-D",
        "-f",
        "--seccomp-bpf",
        "-o",
        os.devnull,
        "true",
    ]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


HAS_POSTGRES = answers(lambda: connect_postgres(POSTGRES).close())
HAS_REDIS = answers(lambda: connect_redis().ping())
HAS_STRACE = can_trace()
ENGINES = ["sqlite", "postgres"] if HAS_POSTGRES else ["sqlite"]
CACHES = ["memory", "redis"] if HAS_REDIS else ["memory"]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Two a core: half of the time the tests wait for processes that they started."""
    return 2 * (os.cpu_count() or 1)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests of one service, or tool, when it is not there and not required."""
    there = {"postgres_url": HAS_POSTGRES, "redis_url": HAS_REDIS, "strace": HAS_STRACE}
    there["telebot_source"] = REQUIRED or any(EXAMPLES.glob("*.tar.gz"))
    absent = {name for name, answered in there.items() if not answered}
    needed = [(item, absent.intersection(getattr(item, "fixturenames", ()))) for item in items]
    dropped = [item for item, missing in needed if missing]
    if dropped:
        config.hook.pytest_deselected(items=dropped)
        items[:] = [item for item, missing in needed if not missing]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Make what a test printed fit for its way to the other process, half letters included."""
    report = yield
    report.sections = [
        (name, text.encode("utf-8", "replace").decode()) for name, text in report.sections
    ]
    return report


@pytest.fixture(scope="session")
def make_postgres() -> Iterator[Callable[[str], str]]:
    """Make a database of this run's own and give its address; all are dropped at the end."""
    made: list[str] = []
    server = connect_postgres(POSTGRES)

    def make(purpose: str) -> str:
        name = f"steadygram_test_{os.getpid()}_{secrets.token_hex(4)}_{purpose}"
        with server.cursor() as cursor:
            cursor.execute(f'CREATE DATABASE "{name}"')
        made.append(name)
        return on_postgres(name)

    yield make
    with server.cursor() as cursor:
        for name in made:
            cursor.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    server.close()


@pytest.fixture(scope="session")
def _tables_postgres(make_postgres: Callable[[str], str]) -> str:
    return make_postgres("tables")


@pytest.fixture(scope="session")
def _empty_postgres(make_postgres: Callable[[str], str]) -> str:
    return make_postgres("empty")


def search_tables(config: pytest.Config, url: str) -> None:
    """Look for tokens in what a test left in its PostgreSQL database."""
    search = config.pluginmanager.get_plugin("token-search")
    assert isinstance(search, Search)
    connection = connect_postgres(url)
    with connection.cursor() as cursor:
        search.places += tables_with_token(cursor)
    connection.close()


@pytest.fixture
def postgres_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a PostgreSQL database without a table, and without a connection."""
    url: str = request.getfixturevalue("_empty_postgres")
    with connect_postgres(url) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        cursor.execute("DROP SCHEMA public CASCADE")
        cursor.execute("CREATE SCHEMA public")
    connection.close()
    yield url
    search_tables(request.config, url)


@pytest.fixture(params=ENGINES)
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database without a table, on each engine."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'test.db'}"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture(params=ENGINES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of the database that `database` opens; empty its tables through `database`."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'test.db'}"
    url: str = request.getfixturevalue("_tables_postgres")
    return url


@pytest.fixture(scope="session")
def _tables_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with every table of ours, to be copied: that is faster than making them."""
    path = tmp_path_factory.mktemp("tables") / "test.db"
    made = bind(open_database(f"sqlite:///{path}"))
    made.create_tables(TABLES)
    made.close_all()
    return path


def empty_tables(url: str, kept: list[str]) -> set[str]:
    """Empty the tables that are kept from test to test and drop what a test left beside them.

    Gives the names of those that are there. DELETE is ten times faster than TRUNCATE for the few
    rows of a test.
    """
    connection = connect_postgres(url)
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        present = {name for (name,) in cursor.fetchall()}
        for name in present.difference(kept):
            cursor.execute(f'DROP TABLE "{name}" CASCADE')
        deletes = [f'DELETE FROM "{name}"' for name in reversed(kept) if name in present]
        restart = "SELECT setval(format('%I', sequencename)::regclass, 1, false) FROM pg_sequences"
        cursor.execute("; ".join([*deletes, restart]))
    connection.close()
    return present.intersection(kept)


@pytest.fixture
def database(
    request: pytest.FixtureRequest, database_url: str, pytestconfig: pytest.Config
) -> Iterator[Database]:
    """An open database with every table of ours, all empty, that the models are bound to."""
    if database_url.startswith("postgresql"):
        kept = [*(model._meta.table_name for model in TABLES), trigrams.TABLE]
        present = empty_tables(database_url, kept)
    else:
        shutil.copyfile(
            request.getfixturevalue("_tables_sqlite"), database_url[len("sqlite:///") :]
        )
        present = {model._meta.table_name for model in TABLES}
    opened = bind(open_database(database_url))
    with opened.connection_context():
        if isinstance(opened, Sqlite):
            opened.pragma("synchronous", "off", permanent=True)  # nobody cuts the power of a test
        opened.create_tables([model for model in TABLES if model._meta.table_name not in present])
    yield opened
    opened.close()
    opened.close_all()
    if isinstance(opened, Postgres):
        search_tables(pytestconfig, database_url)


@pytest.fixture
def strace() -> list[str]:
    """The command that runs another one and writes its system calls down."""
    return ["strace"]


@pytest.fixture(scope="session")
def _claimed_redis() -> Iterator[redis.Redis]:
    """An empty numbered database, claimed for this run so that parallel runs do not meet in it."""
    registry = connect_redis()
    for number in range(15, 0, -1):
        claim, client = f"steadygram:test:{number}", connect_redis(number)
        if registry.set(claim, os.getpid(), nx=True, ex=CLAIM_SECONDS):
            if client.dbsize() == 0:
                yield client
                client.flushdb()
                registry.delete(claim)
                break
            registry.delete(claim)
    else:
        pytest.fail(f"No empty numbered database at {REDIS}: flush one of 1 to 15.")


@pytest.fixture
def redis_url(_claimed_redis: redis.Redis) -> Iterator[str]:
    """The address of an empty Redis database; tests may write what they like in it."""
    _claimed_redis.flushdb()
    number = _claimed_redis.get_connection_kwargs()["db"]
    yield urlsplit(REDIS)._replace(path=f"/{number}").geturl()
    _claimed_redis.flushdb()


@pytest.fixture(params=CACHES)
def cache_url(request: pytest.FixtureRequest) -> str | None:
    """None for the cache in the process, and the address of an empty Redis."""
    if request.param == "memory":
        return None
    url: str = request.getfixturevalue("redis_url")
    return url
