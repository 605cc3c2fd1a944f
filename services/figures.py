"""The figures: numbers by day (UTC), counted from the tables so that no page has to count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any, TypeAlias

from peewee import EXCLUDED

from database import as_param, db
from models import Status
from services import analytics
from staff import DailyFigure

EVENT = "event."
"""Before the type of an event in the name of its figure."""
ERRORS = "errors"
ACTIVE = "people"
"""Different people of whom there is an event on the day."""
CLOSED = "closed"
"""Says that a day was counted for the last time."""
RESPONSES, RESPONSE_MS = "responses", "response_ms"
PEOPLE = {status: f"users.{status.value}" for status in Status}
"""As many people have this status; written on the day when they were counted."""
LATELY = {period: f"active.{period}" for period in analytics.PERIODS}

LATE = timedelta(hours=1)
"""How long after its end a day is still counted again: what happened in it is committed by then."""
REACH = timedelta(days=1100)
"""How far back days are counted that nobody counted yet."""
TYPES = 200
"""Types of events of one day that are told apart."""
NAME = 64

Figures: TypeAlias = dict[str, dict[date, int]]
"""Values by name and day; days without a value are left out."""


def count(day: date, at: datetime) -> None:
    """Count a day anew from the rows of this day alone, and keep what has changed.

    After the day's end it is closed and needs to be counted no more.
    """
    since, until = bounds(day)
    counted = {**_events(since, until), ERRORS: _errors(since, until)}
    counted[ACTIVE] = _people(since, until)
    if at >= until + LATE:
        counted[CLOSED] = 1
    with db.atomic():
        kept = _of(day)
        gone = {name: 0 for name in kept if name.startswith(EVENT)}
        _keep(day, {**gone, **counted}, kept)


def open_days(at: datetime) -> list[date]:
    """The days before today that must still be counted, newest first; most of the time none."""
    first = _first_day()
    if first is None:
        return []
    first, today = max(first, (at - REACH).date()), at.date()
    days = DailyFigure.select(DailyFigure.day).where(
        DailyFigure.name == CLOSED, DailyFigure.day >= first
    )
    closed = {row.day for row in days}
    past = (today - timedelta(days=back) for back in range(1, (today - first).days + 1))
    return [day for day in past if day not in closed]


def count_people(at: datetime) -> None:
    """Count everybody by status, and who was active lately: a look at the indexes of `users`."""
    rows = db.execute_sql("SELECT status, COUNT(*) FROM users GROUP BY status").fetchall()
    counted = dict.fromkeys(PEOPLE.values(), 0)
    counted |= {f"users.{status}": number for status, number in rows}
    for period, name in LATELY.items():
        counted[name] = analytics.active(period, at=at)
    with db.atomic():
        _keep(at.date(), counted, _of(at.date()))


def add(day: date, values: Mapping[str, int]) -> None:
    """Add to a day's figures: of those that are known to one process alone."""
    rows = _rows(day, {name: value for name, value in values.items() if value})
    if rows:
        DailyFigure.insert_many(rows).on_conflict(
            conflict_target=[DailyFigure.day, DailyFigure.name],
            update={DailyFigure.value: DailyFigure.value + EXCLUDED.value},
        ).execute()


def read(since: date, names: Iterable[str]) -> Figures:
    """Figures from a day on, by one look at the index."""
    wanted = sorted(set(names))
    found: Figures = {name: {} for name in wanted}
    rows = DailyFigure.select().where(DailyFigure.day >= since, DailyFigure.name.in_(wanted))
    for row in rows.order_by(DailyFigure.day):
        found[row.name][row.day] = row.value
    return found


def bounds(day: date) -> tuple[datetime, datetime]:
    """The first moment of a day, and that of the next one."""
    since = datetime.combine(day, time())
    return since, since + timedelta(days=1)


def _events(since: datetime, until: datetime) -> dict[str, int]:
    sql = (
        "SELECT event_type, COUNT(*) FROM analytics_events"
        " WHERE created_at >= ? AND created_at < ? GROUP BY event_type"
    )
    counted: Counter[str] = Counter()
    for number, (kind, count) in enumerate(sorted(_ask(sql, since, until), key=_most)):
        counted[f"{EVENT}{kind}"[:NAME] if number < TYPES else f"{EVENT}other"] += count
    return dict(counted)


def _most(row: tuple[str, int]) -> tuple[int, str]:
    return -row[1], row[0]


def _errors(since: datetime, until: datetime) -> int:
    sql = (
        "SELECT COUNT(*) FROM failures WHERE state IN ('open', 'replayed', 'dismissed')"
        " AND created_at >= ? AND created_at < ?"
    )
    return int(_ask(sql, since, until)[0][0])


def _people(since: datetime, until: datetime) -> int:
    sql = (
        "SELECT COUNT(*) FROM (SELECT DISTINCT user_id FROM analytics_events"
        " WHERE created_at >= ? AND created_at < ? AND user_id IS NOT NULL) AS people"
    )
    return int(_ask(sql, since, until)[0][0])


def _ask(sql: str, since: datetime, until: datetime) -> list[Any]:
    values = (as_param(since), as_param(until))
    return list(db.execute_sql(sql.replace("?", db.param), values).fetchall())


def _first_day() -> date | None:
    """The day of the oldest event."""
    oldest = db.execute_sql("SELECT MIN(created_at) FROM analytics_events").fetchone()[0]
    found = datetime.fromisoformat(oldest) if isinstance(oldest, str) else oldest
    return found.date() if found else None


def _of(day: date) -> dict[str, int]:
    return {row.name: row.value for row in DailyFigure.select().where(DailyFigure.day == day)}


def _keep(day: date, values: Mapping[str, int], kept: Mapping[str, int]) -> None:
    """Write what differs from what is kept; on a quiet day that is nothing."""
    rows = _rows(day, {name: value for name, value in values.items() if kept.get(name) != value})
    if rows:
        DailyFigure.insert_many(rows).on_conflict(
            conflict_target=[DailyFigure.day, DailyFigure.name], preserve=[DailyFigure.value]
        ).execute()


def _rows(day: date, values: Mapping[str, int]) -> list[dict[str, Any]]:
    """Rows in one order, so that two processes that write them do not wait for each other."""
    return [{"day": day, "name": name, "value": values[name]} for name in sorted(values)]
