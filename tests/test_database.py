"""The database: one address opens it, and both engines behave the same."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path

import pytest

from database import Database, Postgres, Sqlite, bind, current, db, now, open_database
from models import Bot
from tests.together import run_together


@pytest.mark.parametrize(
    ("url", "path"),
    [("sqlite:///data/a.db", "data/a.db"), ("sqlite:////srv/a.db", "/srv/a.db")],
)
def test_sqlite_urls_name_a_file(url: str, path: str) -> None:
    """Three slashes begin a relative path and four an absolute one."""
    database = open_database(url)
    assert isinstance(database, Sqlite) and database.path == Path(path)


def test_postgres_urls_have_two_spellings() -> None:
    """Both schemes that PostgreSQL knows open PostgreSQL, without connecting yet."""
    for url in ("postgresql://nowhere.invalid/x", "postgres://nowhere.invalid/x"):
        database = open_database(url, pool=3, overflow=4)
        assert isinstance(database, Postgres) and database.is_closed()
        assert database._max_connections == 7


@pytest.mark.parametrize("url", ["mysql://x/y", "sqlite://", "sqlite:///:memory:", "data.db"])
def test_other_urls_are_refused(url: str) -> None:
    """A database that cannot serve several threads, or that we do not speak, is refused."""
    with pytest.raises(ValueError, match="DATABASE_URL must be"):
        open_database(url)


def test_an_old_sqlite_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A SQLite that lacks RETURNING is named, and what is needed."""
    monkeypatch.setattr("sqlite3.sqlite_version_info", (3, 34, 1))
    with pytest.raises(ValueError, match=r"too old: 3\.35 is needed"):
        open_database("sqlite:///data/a.db")


def test_bound_database_is_the_current_one(database: Database) -> None:
    """The models and `current` use the database that was bound last."""
    assert current() is database and db.obj is database
    assert bind(database) is database


def test_now_is_naive_utc() -> None:
    """Times are UTC without saying so, to the microsecond."""
    assert now().tzinfo is None
    assert abs(now() - now().fromtimestamp(time.time(), tz=None)) < timedelta(hours=15)


def test_upsert_returning_and_values_are_the_same(database: Database) -> None:
    """The statements of the hot paths run unchanged on both engines."""
    mark = database.param
    rows = database.execute_sql(
        "INSERT INTO leases (name, owner, fence, beats, updated_at)"
        f" VALUES ('a', '', 0, 0, {mark}), ('b', '', 0, 0, {mark})"
        " ON CONFLICT (name) DO UPDATE SET owner = EXCLUDED.owner RETURNING name",
        (now(), now()),
    ).fetchall()
    assert sorted(rows) == [("a",), ("b",)]
    changed = database.execute_sql(
        "UPDATE leases SET beats = seen.column2 FROM"
        f" (VALUES ({mark}, {mark}), ({mark}, {mark})) AS seen WHERE name = seen.column1",
        ("a", 5, "b", 6),
    )
    assert changed.rowcount == 2
    assert database.execute_sql("SELECT SUM(beats) FROM leases").fetchone() == (11,)


def test_results_may_be_read_in_any_way(database: Database) -> None:
    """A result is read row by row, in a loop or at once, and is empty for what gives no rows."""
    for number in range(3):
        Bot.create(id=number, username="", name="")
    cursor = database.execute_sql("SELECT id FROM bots ORDER BY id")
    assert cursor.fetchone() == (0,)
    assert list(cursor) == [(1,), (2,)]
    assert cursor.fetchone() is None
    assert [bot.id for bot in Bot.select().order_by(Bot.id)] == [0, 1, 2]
    assert Bot.update(name="x").execute() == 3
    assert Bot.delete().execute() == 3


def test_serialised_transactions_pass_one_by_one(database: Database) -> None:
    """What reads and then writes under `serialise` loses nothing, on either engine."""
    Bot.create(id=1, username="", name="0")

    def add() -> None:
        with database.connection_context():
            for _ in range(5):
                with database.atomic():
                    database.serialise(7)
                    count = int(Bot.get_by_id(1).name)
                    Bot.update(name=str(count + 1)).execute()

    run_together(*[add] * 4)
    assert Bot.get_by_id(1).name == "20"
