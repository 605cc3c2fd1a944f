"""What happened, and how many people take part."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any

from database import as_param, db, now
from models import AnalyticsEvent, EventType, Status, User

MOST = 1000
"""Commands that are told apart: whoever writes to a bot can make up more."""
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


def event_types(most: int = 200) -> list[str]:
    """The types of events that there are: a step over the index for each, however many events."""
    sql = (
        "WITH RECURSIVE types (name) AS ("
        " SELECT MIN(event_type) FROM analytics_events UNION ALL SELECT"
        " (SELECT MIN(event_type) FROM analytics_events WHERE event_type > types.name)"
        " FROM types WHERE types.name IS NOT NULL)"
        f" SELECT name FROM types WHERE name IS NOT NULL LIMIT {most}"
    )
    return [name for (name,) in db.execute_sql(sql).fetchall()]


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


def by_day(days: int, *, at: datetime | None = None) -> dict[str, int]:
    """Messages of each of the last days, oldest first, by dates such as 2026-01-31.

    A look at a large table, to be cached.
    """
    today = (at or now()).date()
    dates = [today - timedelta(days=back) for back in reversed(range(days))]
    sql = (
        "SELECT SUBSTR(CAST(created_at AS TEXT), 1, 10), COUNT(*) FROM analytics_events"
        " WHERE event_type IN ('message', 'command') AND created_at >= ? GROUP BY 1"
    ).replace("?", db.param)
    since = datetime.combine(dates[0], time())
    counts = dict(db.execute_sql(sql, (as_param(since),)).fetchall())
    return {str(date): counts.get(str(date), 0) for date in dates}


def by_command(days: int, *, at: datetime | None = None) -> dict[str, int]:
    """How often each command was used in the last days, as people wrote it, most used first.

    A look at a large table, to be cached.
    """
    sql = (
        "SELECT CAST(data AS TEXT), COUNT(*) FROM analytics_events"
        f" WHERE event_type = 'command' AND created_at >= ? GROUP BY 1 ORDER BY 2 DESC LIMIT {MOST}"
    ).replace("?", db.param)
    since = (at or now()) - timedelta(days=days)
    rows = db.execute_sql(sql, (as_param(since),)).fetchall()
    return {str(json.loads(data or "{}").get("command")): count for data, count in rows}
