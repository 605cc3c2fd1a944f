"""Numbers in the API, from what was counted by day."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from marshmallow import fields

from admin.api.fields import Asked, Told, Whole
from admin.api.routes import Routes, panel
from services import analytics
from services.scopes import Scope
from staff import DailyFigure

routes = Routes("Numbers", "The bot in numbers.")

LONGEST = 366


class StatsAsked(Asked):
    """How many days."""

    days = Whole(1, LONGEST, digits=True, load_default=30, metadata={"default": 30})


class ActiveOut(Told):
    """People who did something lately."""

    day = Whole(0)
    week = Whole(0, metadata={"description": "In seven days."})
    month = Whole(0, metadata={"description": "In thirty days."})


class DayOut(Told):
    """A day (UTC) and its figures by name."""

    day = fields.Date()
    figures = fields.Dict(keys=fields.String(), values=Whole())


class StatsOut(Told):
    """The bot in numbers."""

    active = fields.Nested(ActiveOut)
    days = fields.List(fields.Nested(DayOut))


@routes.operation("GET", "/stats", Scope.STATS_READ, StatsOut, query=StatsAsked)
def get_stats(asked: dict[str, Any]) -> dict[str, Any]:
    """Get the numbers of the last days, oldest first; a day without a number is left out."""
    at = panel().clock()
    return {"active": _active(at), "days": _days(at.date() - timedelta(days=asked["days"] - 1))}


def _active(at: datetime) -> dict[str, int]:
    """As the bot counted them last, today or yesterday; else they are counted now."""
    names = {f"active.{period}": period for period in analytics.PERIODS}
    lately = (DailyFigure.day >= at.date() - timedelta(days=1)) & DailyFigure.name.in_(list(names))
    rows = DailyFigure.select().where(lately).order_by(DailyFigure.day)
    kept = {names[row.name]: row.value for row in rows}
    return {
        period: kept[period] if period in kept else analytics.active(period, at=at)
        for period in analytics.PERIODS
    }


def _days(since: date) -> list[dict[str, Any]]:
    days: dict[date, dict[str, int]] = {}
    rows = DailyFigure.select().where(DailyFigure.day >= since).order_by(DailyFigure.day)
    for row in rows:
        days.setdefault(row.day, {})[row.name] = row.value
    return [{"day": day, "figures": figures} for day, figures in days.items()]
