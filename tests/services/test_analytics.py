"""Events and counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from database import Database
from models import AnalyticsEvent, EventType, Status, User
from services import analytics

NOW = datetime(2030, 6, 15, 12, tzinfo=UTC).replace(tzinfo=None)


def person(number: int, **values: object) -> User:
    """A person in the table."""
    return User.create(telegram_id=number, first_name="P", created_at=NOW, **values)


def test_an_event_is_kept_with_its_data(database: Database) -> None:
    """Type, person and data of an event are kept; the last two may be absent."""
    user = person(1)
    analytics.track(EventType.COMMAND, user.id, {"command": "start"})
    analytics.track("notes_saved")
    first, second = AnalyticsEvent.select().order_by(AnalyticsEvent.id)
    assert (first.event_type, first.user, first.data) == ("command", user, {"command": "start"})
    assert (second.event_type, second.user, second.data) == ("notes_saved", None, None)


@pytest.mark.parametrize(("period", "count"), [("day", 1), ("week", 2), ("month", 3)])
def test_active_people_are_counted_by_period(database: Database, period: str, count: int) -> None:
    """A person is active in a period when they did something within it."""
    for number, days in enumerate([0.5, 6, 29, 31]):
        person(number, last_activity_at=NOW - timedelta(days=days))
    person(9)
    assert analytics.active(period, at=NOW) == count


def test_activity_is_counted_up_to_now(database: Database) -> None:
    """Without a time the periods end now."""
    person(1, last_activity_at=NOW - timedelta(days=10_000))
    assert analytics.active("month") == 0


def test_a_person_in_numbers(database: Database) -> None:
    """Statistics are read from the tables, not from an object that may be old."""
    user = person(1)
    person(2, referrer=user)
    User.update(total_messages=4, last_activity_at=NOW).where(User.id == user.id).execute()
    for kind in (EventType.COMMAND, EventType.COMMAND, EventType.MESSAGE):
        analytics.track(kind, user.id)
    assert analytics.statistics(user) == analytics.Statistics(
        messages=4, commands=2, events=3, referrals=1, joined_at=NOW, last_activity_at=NOW
    )


def test_everybody_in_numbers(database: Database) -> None:
    """Totals have every status, and the newcomers of the last day."""
    assert analytics.totals(at=NOW).users == 0
    person(1, total_messages=3)
    person(2, total_messages=4, status=Status.BLOCKED)
    User.update(created_at=NOW - timedelta(days=2)).where(User.telegram_id == 2).execute()
    analytics.track(EventType.MESSAGE)
    assert analytics.totals(at=NOW) == analytics.Totals(
        users=2,
        messages=7,
        events=1,
        joined_today=1,
        by_status={"active": 1, "banned": 0, "blocked": 1, "deleted": 0},
    )
    assert analytics.totals().users == 2
