"""What happened, and how many people take part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from database import db, now
from models import AnalyticsEvent, EventType, Status, User

PERIODS = {"day": timedelta(days=1), "week": timedelta(days=7), "month": timedelta(days=30)}


@dataclass(frozen=True, slots=True)
class Statistics:
    """One person in numbers."""

    messages: int
    commands: int
    events: int
    referrals: int
    joined_at: datetime
    last_activity_at: datetime | None


@dataclass(frozen=True, slots=True)
class Totals:
    """Everybody in numbers; `by_status` has every status."""

    users: int
    messages: int
    events: int
    joined_today: int
    by_status: dict[str, int]


def track(
    event_type: str, user_id: int | None = None, data: Mapping[str, Any] | None = None
) -> None:
    """Record an event in the caller's transaction; `user_id` is the id of the person's row."""
    AnalyticsEvent.insert(
        event_type=str(event_type), user=user_id, data=None if data is None else dict(data)
    ).execute()


def active(period: str, *, at: datetime | None = None) -> int:
    """How many people did something in the last day, week (7 days) or month (30 days)."""
    since = (at or now()) - PERIODS[period]
    return int(User.select().where(User.last_activity_at >= since).count())


def statistics(user: User) -> Statistics:
    """A person in numbers, as the tables have them now."""
    fresh = User.get_by_id(user.id)
    mine = AnalyticsEvent.select().where(AnalyticsEvent.user == user.id)
    return Statistics(
        messages=fresh.total_messages,
        commands=mine.where(AnalyticsEvent.event_type == EventType.COMMAND.value).count(),
        events=mine.count(),
        referrals=User.select().where(User.referrer == user.id).count(),
        joined_at=fresh.created_at,
        last_activity_at=fresh.last_activity_at,
    )


def totals(*, at: datetime | None = None) -> Totals:
    """Everybody in numbers; a joint look at large tables, to be cached."""
    rows = db.execute_sql("SELECT status, COUNT(*), SUM(total_messages) FROM users GROUP BY status")
    counts = {status: (count, int(messages)) for status, count, messages in rows.fetchall()}
    since = (at or now()) - PERIODS["day"]
    return Totals(
        users=sum(count for count, _ in counts.values()),
        messages=sum(messages for _, messages in counts.values()),
        events=AnalyticsEvent.select().count(),
        joined_today=User.select().where(User.created_at >= since).count(),
        by_status={status.value: counts.get(status, (0, 0))[0] for status in Status},
    )
