"""The list of events: by type, person and day, newest first."""

from __future__ import annotations

import re
from datetime import datetime

import pytest

from database import Database
from models import AnalyticsEvent, User
from services import analytics
from staff import StaffRole
from tests.admin.conftest import Visit
from tests.admin.test_tables import ODD, Counting
from tests.plans import leave_long_ago, scans, statements


@pytest.fixture(autouse=True)
def events(database: Database) -> None:
    """An event of each of five days, of two people and of nobody."""
    ada = User.create(telegram_id=1000, first_name="Ada", username="ada_1")
    bob = User.create(telegram_id=1001, first_name="Bob")
    for day, (kind, user) in enumerate(
        [
            ("message", ada),
            ("command", ada),
            ("message", bob),
            ("shop.paid", None),
            ("message", ada),
        ]
    ):
        at = datetime(2026, 3, day + 1, 12)  # noqa: DTZ001 - as the tables keep it
        data = {"day": day, "text": "x" * 200 if day == 3 else "short"}
        AnalyticsEvent.create(event_type=kind, user=user, data=data, created_at=at)


def days(page: str) -> list[int]:
    """The days of the events in a list, in order."""
    return [int(day) for day in re.findall(r'<td><time datetime="2026-03-0(\d)T', page)]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", [5, 4, 3, 2, 1]),
        ("type=message", [5, 3, 1]),
        ("type=shop.paid", [4]),
        ("type=mess", []),
        ("user=1000", [5, 2, 1]),
        ("user=@ADA_1&type=command", [2]),
        ("user=5", []),
        ("from=2026-03-02&to=2026-03-04", [4, 3, 2]),
        ("from=2026-03-06", []),
    ],
)
def test_events_are_narrowed(visit: Visit, query: str, found: list[int]) -> None:
    """By a type as it is written, a person by id or name, and whole days."""
    assert days(visit(StaffRole.VIEWER).get(f"/events/?{query}").text) == found


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("more", ["", "&type=message"])
def test_who_left_long_ago_is_not_looked_for_among_the_newest(
    database: Database, visit: Visit, more: str
) -> None:
    """A person's events come by the index of theirs."""
    person, browser = leave_long_ago(database), visit(StaffRole.VIEWER)
    with statements() as run:
        assert browser.get(f"/events/?user={person.telegram_id}{more}").status_code == 200
    theirs = [each for each in run if '"user_id" =' in each[0]]
    keys = "analytics_events_pkey"  # by which the rows of the page are taken
    assert scans(database, theirs, "analytics_events") == {"analytics_events_user_id_id", keys}


@pytest.mark.parametrize(
    "query", [*ODD, "type=%00", "user=%00", "user=-1", "from=x", "to=9999-12-31"]
)
def test_odd_questions_are_answered(visit: Visit, query: str) -> None:
    """With a list or one sentence."""
    assert visit(StaffRole.VIEWER).get(f"/events/?{query}").status_code in (200, 400)


def test_a_row_leads_to_the_person_and_folds_what_is_long(visit: Visit) -> None:
    """Short data stands there, long data opens; an event of nobody says so."""
    page = visit(StaffRole.VIEWER).get("/events/").text
    ada = User.get(User.telegram_id == 1000)
    assert f'<a href="/users/{ada.id}"><bdi>Ada</bdi></a>' in page
    assert "<code>{&#34;day&#34;: 0, &#34;text&#34;: &#34;short&#34;}</code>" in page
    assert page.count("<details>") == 1 and "x" * 200 in page
    assert page.count(">nobody<") == 1


def test_a_page_costs_at_most_four_statements(visit: Visit, database: Database) -> None:
    """However many rows it has: people come in one query."""
    browser = visit(StaffRole.VIEWER)
    for query in ("", "?type=message&user=1000&from=2026-01-01"):
        with Counting(database) as counted:
            assert browser.get(f"/events/{query}").status_code == 200
        listing = [sql for sql in counted.said if "analytics_events" in sql or '"users"' in sql]
        assert 1 <= len(listing) <= 4, listing


def test_the_types_that_there_are_are_proposed(visit: Visit) -> None:
    """Found by steps over the index, not by reading the events."""
    assert analytics.event_types() == ["command", "message", "shop.paid"]
    assert analytics.event_types(most=2) == ["command", "message"]
    page = visit(StaffRole.VIEWER).get("/events/").text
    assert '<option value="shop.paid">' in page
    AnalyticsEvent.delete().execute()
    assert analytics.event_types() == []
    assert "Nothing has happened yet" in visit(StaffRole.VIEWER).get("/events/").text
