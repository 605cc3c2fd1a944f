"""Plans: no list walks through a big table, however it is narrowed, searched or sorted."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from flask import Flask

from admin.panel import Panel
from bench import crowd
from bench.asks import asks
from bench.people import Story
from database import Database
from models import User
from staff import StaffRole
from tests.admin.conftest import Clock, Visit
from tests.plans import Statement, statements, walks

PEOPLE, EVENTS = 3000, 9000
BIG = {"users", "users_search", "analytics_events"}
COMMON = re.compile(r": (all|status active|role user|by )")
"""Where next to nothing is left out. SQLite calls it a scan, though it ends with the page."""
OWN = ("admin_sessions", "FROM pg_class")
"""What marks a statement that is not of the list itself."""


@pytest.fixture
def crowded(database: Database, clock: Clock) -> Database:
    """A database with a small crowd."""
    crowd.fill(database, Story(PEOPLE, EVENTS, until=clock()))
    return database


def asked(app: Flask, visit: Visit, clock: Clock) -> Iterator[tuple[str, list[Statement]]]:
    """Each address of every list, with the statements that it takes."""
    browser = visit(StaffRole.OWNER)
    for label, path in asks(app, clock().date()):
        browser.get(path)
        with statements() as run:
            answer = browser.get(path)
        assert answer.status_code == 200, path
        yield label, list(run)


def test_no_list_walks_through_a_big_table(
    crowded: Database, app: Flask, visit: Visit, clock: Clock
) -> None:
    """Every statement of every list finds its rows by an index, and a page takes at most four.

    The session, the size of the table as PostgreSQL knows it, and what fills the filters are beside
    the four.
    """
    labels = []
    for label, run in asked(app, visit, clock):
        labels.append(label)
        small = set(crowded.get_tables()) - BIG
        if crowded.param == "%s" or not COMMON.search(label):
            assert walks(crowded, run, small=small) == set(), label
        lists = [sql for sql, _ in run if not any(mark in sql for mark in OWN)]
        assert ":" not in label or len(lists) <= 4 + ("RECURSIVE" in str(lists)), label
    assert {label.partition(":")[0] for label in labels} >= {"Overview", "Users", "Events"}


def test_a_walk_is_seen(crowded: Database, panel: Panel) -> None:
    """The control: what no index helps with is seen."""
    del panel
    with statements() as run:
        list(User.select().where(User.first_name == "Anna"))
        list(User.select().where(User.username.contains("nna")))
    assert walks(crowded, run, small=set()) == {"users"}


def test_a_crowd_fits_together(crowded: Database) -> None:
    """Counters are the number of messages, and figures that of events."""
    sql = (
        "SELECT name, SUM(value) FROM daily_figures WHERE substr(name, 1, 6) = 'event.' GROUP BY 1"
    )
    counts = dict(crowded.execute_sql(sql).fetchall())
    assert sum(counts.values()) == EVENTS and counts["event.user_joined"] == PEOPLE
    said = crowded.execute_sql("SELECT SUM(total_messages) FROM users").fetchone()[0]
    assert said == counts["event.message"] + counts["event.command"]
    written = crowded.execute_sql("SELECT COUNT(*) FROM users_search").fetchone()[0]
    assert User.select().count() == written == PEOPLE
