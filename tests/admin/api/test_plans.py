"""Plans: no list of the API walks through a big table, and a page costs a handful of queries."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bench import crowd
from bench.people import Story
from database import Database
from models import User
from tests.admin.api.conftest import Call
from tests.admin.conftest import Clock
from tests.plans import leave_long_ago, scans, statements, walks

BIG = {"users", "users_search", "analytics_events"}
RARE = (
    "users?role=owner",
    "users?status=banned",
    "users?status=banned&role=admin&language=ru",
    "users?language=ru",
    "users?source=nowhere",
    "users?username=anna",
    "users?telegram_id=5",
    "users?referrer_id=5",
    "users?q=anna",
    "users?cursor=5",
    "events?type=user_blocked",
    "events?user_id=5",
    "events?since={hour}",
    "events?type=message&since={hour}",
    "events?until={year}",
    "events?cursor=5-5",
)
COMMON = ("users", "users?status=active", "users?role=user&limit=100", "events", "events?limit=100")
"""Where next to nothing is left out. SQLite calls it a scan, though it ends with the page."""


@pytest.fixture
def crowded(database: Database, clock: Clock) -> Database:
    """A database with a small crowd."""
    crowd.fill(database, Story(3000, 9000, until=clock()))
    return database


def test_no_list_walks_through_a_big_table(crowded: Database, call: Call, clock: Clock) -> None:
    """However it is narrowed: the token, its count and one statement for the page."""
    client, small = call(), set(crowded.get_tables()) - BIG
    times = {name: clock() - timedelta(hours=n) for name, n in (("hour", 1), ("year", 8760))}
    for path in (*RARE, *COMMON):
        path_ = path.format(**{name: f"{at.isoformat()}Z" for name, at in times.items()})
        client.get(f"/api/v1/{path_}")
        with statements() as run:
            answer = client.get(f"/api/v1/{path_}")
        assert answer.status_code == 200 and len(run) == 3, path_
        assert "COUNT(" not in "".join(sql for sql, _ in run), path_
        if crowded.param == "%s" or path in RARE:
            assert walks(crowded, run, small=small) == set(), path_


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("more", ["", "&type=message"])
def test_who_left_long_ago_is_not_looked_for_among_the_newest(
    database: Database, call: Call, more: str
) -> None:
    """A person's events come by the index of theirs."""
    person, client = leave_long_ago(database), call()
    with statements() as run:
        assert client.get(f"/api/v1/events?user_id={person.id}{more}").status_code == 200
    assert scans(database, run, "analytics_events") == {"analytics_events_user_id_id"}


def test_a_walk_is_seen(crowded: Database) -> None:
    """The control: what no index helps with is seen."""
    with statements() as run:
        list(User.select().where(User.first_name == "Anna"))
    assert walks(crowded, run, small=set()) == {"users"}
