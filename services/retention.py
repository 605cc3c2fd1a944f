"""Retention: events that are old enough and counted are forgotten, a bounded number at a time."""

from __future__ import annotations

from datetime import datetime, time, timedelta

from database import as_param, db
from services.figures import CLOSED, REACH
from staff import DailyFigure

BATCH = 5000


def forget_events(at: datetime, *, days: int, limit: int = BATCH) -> int:
    """Delete events of the oldest day if it is past its time, at most `limit`; give the number.

    A day that was not counted yet stays: its figures are all that is to be left of it.
    """
    before = datetime.combine(at.date() - timedelta(days=days), time())
    oldest = _oldest()
    if oldest is None or oldest >= before or not _is_counted(oldest, at):
        return 0
    until = datetime.combine(oldest.date() + timedelta(days=1), time())
    sql = (
        "DELETE FROM analytics_events WHERE id IN (SELECT id FROM analytics_events"
        " WHERE created_at < ? ORDER BY created_at LIMIT ?)"
    ).replace("?", db.param)
    return int(db.execute_sql(sql, (as_param(until), limit)).rowcount)


def _oldest() -> datetime | None:
    found = db.execute_sql("SELECT MIN(created_at) FROM analytics_events").fetchone()[0]
    return datetime.fromisoformat(found) if isinstance(found, str) else found


def _is_counted(moment: datetime, at: datetime) -> bool:
    closed = DailyFigure.select().where(
        DailyFigure.day == moment.date(), DailyFigure.name == CLOSED
    )
    return moment < at - REACH or closed.exists()
