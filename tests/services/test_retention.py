"""Retention: what is old enough and counted goes, a bounded number at a time; nothing else does."""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.chores import Chores
from bot.kit import ChatKit
from database import Database
from models import AnalyticsEvent
from services.figures import CLOSED, REACH
from services.retention import forget_events
from staff import DailyFigure

AT = datetime(2026, 7, 31, 10, 0)  # noqa: DTZ001  UTC and naive, as in the tables


def happen(*days: int, count: int = 1) -> None:
    """Events so many days ago."""
    for number in days:
        for _ in range(count):
            AnalyticsEvent.create(event_type="message", created_at=AT - timedelta(days=number))


def close(*days: int) -> None:
    """These days were counted."""
    for number in days:
        day = (AT - timedelta(days=number)).date()
        DailyFigure.create(day=day, name=CLOSED, value=1)


def left() -> list[int]:
    """How many days ago the events that are there happened."""
    rows = AnalyticsEvent.select().order_by(AnalyticsEvent.created_at.desc())
    return [(AT - row.created_at).days for row in rows]


def test_old_events_that_were_counted_go(database: Database) -> None:
    """Day by day from the oldest, until what is left is young enough."""
    happen(0, 30, 31, 40, 41, count=2)
    close(31, 40, 41)
    assert [forget_events(AT, days=30) for _ in range(4)] == [2, 2, 2, 0]
    assert left() == [0, 0, 30, 30]


def test_a_day_that_was_not_counted_stays(database: Database) -> None:
    """With all that came after it: its figures are what is to be left of it."""
    happen(40, 41)
    close(40)
    assert forget_events(AT, days=30) == 0
    close(41)
    assert [forget_events(AT, days=30) for _ in range(3)] == [1, 1, 0]


def test_days_beyond_the_reach_of_the_count_go(database: Database) -> None:
    """Nobody counts them any more, so nothing waits for that."""
    happen(REACH.days + 1)
    assert forget_events(AT, days=30) == 1


def test_one_go_is_bounded(database: Database) -> None:
    """A day of millions does not hold the table."""
    happen(40, count=5)
    close(40)
    assert [forget_events(AT, days=30, limit=2) for _ in range(4)] == [2, 2, 1, 0]


def test_no_event_is_no_fault(database: Database) -> None:
    """An empty table has no oldest day."""
    assert forget_events(AT, days=30) == 0


def forgetting(kit: ChatKit) -> list[int]:
    """How many of three old events are left after each of the bot's next seconds."""
    at = kit.core.parts.clock() - timedelta(days=40)
    rows = [{"event_type": "message", "created_at": at}] * 3
    AnalyticsEvent.insert_many(rows).execute()
    DailyFigure.create(day=at.date(), name=CLOSED, value=1)
    chores, found = Chores(kit.core, []), []
    for second in range(3):
        chores.forget_events(float(second))
        found.append(AnalyticsEvent.select().where(AnalyticsEvent.created_at <= at).count())
    return found


def test_the_bot_forgets_when_it_is_told_to() -> None:
    """By EVENTS_DAYS, and not by default; only the process that acts for a bot."""
    with ChatKit([], EVENTS_DAYS="30") as kit:
        assert forgetting(kit) == [0, 0, 0]
    with ChatKit([]) as kit:
        assert forgetting(kit) == [3, 3, 3]
    with ChatKit([], EVENTS_DAYS="30") as kit:
        kit.core.seats[0].lease.release()
        assert forgetting(kit) == [3, 3, 3]
