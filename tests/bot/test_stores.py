"""What the doctor finds in the database and in Redis."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from bot import doctor, stores
from bot.lease import identity
from bot.loader import collect, sources
from bot.probes import Tone, run
from database import Database, Postgres, bind, now, open_database
from models import Inbox, Lease
from services.migrations import migrate
from settings import SANDBOX_TOKEN, Secret, Settings
from tests.bot.looks import AT, told


@pytest.fixture
def stored(database: Database, database_url: str) -> Settings:
    """Settings of the open database of the test, on each engine."""
    return Settings(database_url=Secret(database_url), tokens=(Secret(SANDBOX_TOKEN),))


def test_a_database_that_answers_is_fine(stored: Settings, monkeypatch: Any) -> None:
    """With its engine, its version and its time; a slow one is a fault."""
    assert "answers in" in told(stores.database(stored, AT), Tone.GOOD)
    assert stores.SLOW == 0.1
    monkeypatch.setattr(stores, "SLOW", 0.0)
    assert "see what loads it" in told(stores.database(stored, AT))


def test_a_postgres_that_is_too_old_is_found(
    database: Database, stored: Settings, monkeypatch: Any
) -> None:
    """Below 13 it is a fault; what its makers no longer mend is a note; SQLite has no such end."""
    late = datetime(2050, 1, 1)  # noqa: DTZ001
    noted = told(stores.database(stored, late), Tone.NOTE)
    assert told(stores.database(stored, late)) == "" and stores.OLDEST_POSTGRES == 130_000
    monkeypatch.setattr(stores, "OLDEST_POSTGRES", 990_000)
    wrong = told(stores.database(stored, AT))
    if isinstance(database, Postgres):
        assert "end of life" in noted and "no longer supported" in wrong
    else:
        assert noted == wrong == ""


def test_postgres_ends_in_a_november() -> None:
    """13 in 2025, and each one a year after the one before."""
    assert [f"{stores.end_of_life(each):%Y-%m}" for each in (13, 17)] == ["2025-11", "2029-11"]


def test_a_database_that_is_away_is_found(tmp_path: Path, database: Database) -> None:
    """A missing file is not made; a refused connection shows no password; others do not repeat."""
    none = Settings(database_url=Secret(f"sqlite:///{tmp_path}/none.db"))
    assert "python -m bot migrate" in told(stores.database(none, AT))
    assert not (tmp_path / "none.db").exists()
    away = Settings(database_url=Secret("postgresql://bot:swordfish@127.0.0.1:1/none"))
    bind(open_database(away.database_url.reveal()))
    found = run(doctor.probes(away), seconds=20)
    said = told(found["database"])
    assert "DATABASE_URL" in said and "swordfish" not in said
    for name in ("migrations", "inbox", "poller", "database time"):
        assert told(found[name]) == "" and "not looked at" in told(found[name], Tone.NOTE)


def test_pending_migrations_are_found(stored: Settings) -> None:
    """Tables that were made without them have none of the history."""
    assert "python -m bot migrate" in told(stores.migrations(collect([])))


def test_tables_that_drifted_are_found(tmp_path: Path) -> None:
    """No migration is pending, and a column is gone."""
    database = bind(open_database(f"sqlite:///{tmp_path / 'drift.db'}"))
    migrate(database, sources(collect([])))
    assert "None is pending" in told(stores.migrations(collect([])), Tone.GOOD)
    with database.connection_context():
        database.execute_sql("ALTER TABLE leases RENAME COLUMN beats TO pulses")
    assert "no column beats" in told(stores.migrations(collect([])))
    database.close_all()


def test_a_clock_that_differs_from_the_databases_is_found(database: Database) -> None:
    """On PostgreSQL; SQLite has none of its own."""
    wrong = told(stores.clock(lambda: now() + timedelta(seconds=90)))
    assert told(stores.clock(now)) == ""
    if isinstance(database, Postgres):
        assert "90 s ahead of the database's" in wrong or "89 s" in wrong
    else:
        assert wrong == ""


def test_an_update_that_waits_long_is_found(database: Database) -> None:
    """The oldest that is open, whatever is done."""
    assert "Nothing waits" in told(stores.inbox(AT), Tone.GOOD)
    row = {"bot_id": 1, "lane": 1, "kind": "message", "payload": "{}"}
    old = AT - timedelta(hours=1)
    Inbox.create(**row, update_id=1, state="done", received_at=old, done_at=old)
    Inbox.create(**row, update_id=2, state="new", received_at=AT - timedelta(seconds=5))
    assert told(stores.inbox(AT)) == ""
    Inbox.create(**row, update_id=4, state="new", received_at=AT - timedelta(seconds=59))
    assert told(stores.inbox(AT)) == ""
    Inbox.create(**row, update_id=5, state="new", received_at=AT - timedelta(seconds=61))
    assert "61 s" in told(stores.inbox(AT))
    Inbox.create(**row, update_id=3, state="queued", received_at=old)
    assert "3600 s" in told(stores.inbox(AT))


@pytest.mark.parametrize(
    ("owner", "beat", "expected"),
    [
        (None, 0, "No process runs"),
        ("", 0, "No process runs"),
        ("elsewhere/x/12/34", 60, "for 60 s"),
        ("gone", 0, "is gone"),
        ("elsewhere/x/12/34", 16, "for 16 s"),
        ("elsewhere/x/12/34", 14, ""),
        ("alive", 1, ""),
    ],
)
def test_who_polls_is_told(stored: Settings, owner: str | None, beat: int, expected: str) -> None:
    """Nobody, one that hangs, or one that died is a fault."""
    mine = identity()
    known = {"alive": mine, "gone": f"{mine.rpartition('/')[0]}/1"}
    if owner is not None:
        at = AT - timedelta(seconds=beat)
        name, holder = f"poller:{SANDBOX_TOKEN.partition(':')[0]}", known.get(owner, owner)
        Lease.create(name=name, owner=holder, fence=1, beats=1, updated_at=at)
    said = told(stores.pollers(stored, AT))
    assert expected in said and bool(said) == bool(expected)


def test_a_redis_that_is_away_is_found(redis_url: str) -> None:
    """None is a note; one that does not answer is a fault, told without its password."""
    assert "not used" in told(stores.cache(Settings()), Tone.NOTE)
    assert told(stores.cache(Settings(redis_url=Secret(redis_url)))) == ""
    away = Secret("redis://:swordfish@127.0.0.1:1/0")
    said = told(stores.cache(Settings(redis_url=away)))
    assert "REDIS_URL" in said and "swordfish" not in said


def test_a_redis_that_refuses_the_password_is_found(redis_url: str) -> None:
    """It is there, so nobody is told to start it."""
    there = urlsplit(redis_url)
    wrong = there._replace(netloc=f"nobody:swordfish@{there.netloc.rpartition('@')[2]}")
    said = told(stores.cache(Settings(redis_url=Secret(wrong.geturl()))))
    assert said == "It refuses the password: mend REDIS_URL."
