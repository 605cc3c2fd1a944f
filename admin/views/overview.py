"""The overview: the first page, the bot in numbers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from flask import Response, abort, jsonify, request, url_for
from flask_admin import expose
from flask_admin.base import AdminIndexView

from admin.panel import Panel
from admin.views import cards
from admin.views.page import Page
from models import EventType, User
from services import figures, pulse
from services.figures import Figures
from staff import StaffRole

DAYS = (30, 90, 365)
SERIES = {
    "messages": (EventType.MESSAGE, EventType.COMMAND),
    "new": (EventType.USER_JOINED,),
    "blocked": (EventType.USER_BLOCKED,),
}
"""Lines of the charts that are sums of events."""
NAMES = (
    *(f"{figures.EVENT}{kind.value}" for kinds in SERIES.values() for kind in kinds),
    *(figures.ACTIVE, figures.ERRORS, figures.RESPONSES, figures.RESPONSE_MS),
    *(*figures.PEOPLE.values(), *figures.LATELY.values()),
)


class Overview(Page, AdminIndexView):  # type: ignore[misc]
    """How the bot is doing."""

    read = StaffRole.VIEWER

    def __init__(self, panel: Panel) -> None:
        super().__init__(panel, name="Overview", url="/", template="overview.html")

    @expose("/")
    def index(self) -> Any:
        """The numbers of now, and charts by day."""
        days = chosen_days()
        return self.render(
            "overview.html",
            days=days,
            choices=DAYS,
            source=url_for(".numbers", days=days),
            settings=self.panel.settings,
            **self._numbers(days),
        )

    @expose("/overview.json")
    def numbers(self) -> Response:
        """The same for the page that refreshes itself."""
        return jsonify(self._numbers(chosen_days()))

    def _numbers(self, days: int) -> dict[str, Any]:
        at = self.panel.clock()
        today = at.date()
        dates = [today - timedelta(days=back) for back in reversed(range(days))]
        found = figures.read(dates[0], NAMES)
        lines = lines_of(found, dates)
        shown = cards.of(found, lines, pulse.waiting(at), pulse.pollers(at))
        return {"cards": shown, "lines": lines, "empty": not has_begun(found)}


def has_begun(found: Figures) -> bool:
    """Whether anybody ever wrote to a bot of this installation."""
    counted = any(value for values in found.values() for value in values.values())
    return counted or User.select(User.id).exists()


def chosen_days() -> int:
    """How many days the charts show."""
    said = request.args.get("days", str(DAYS[0]))
    if said not in map(str, DAYS):
        abort(400, f"days is one of {', '.join(map(str, DAYS))}.")
    return int(said)


def lines_of(found: Figures, dates: list[date]) -> dict[str, list[float | None]]:
    """What the charts draw, a value for each day; None where there is nothing to tell."""
    lines: dict[str, list[float | None]] = {"days": [_seconds(day) for day in dates]}
    for name, kinds in SERIES.items():
        parts = [found[f"{figures.EVENT}{kind.value}"] for kind in kinds]
        lines[name] = [sum(part.get(day, 0) for part in parts) for day in dates]
    lines["active"] = [found[figures.ACTIVE].get(day, 0) for day in dates]
    lines["errors"] = [found[figures.ERRORS].get(day, 0) for day in dates]
    lines["response"] = [_mean(found, day) for day in dates]
    return lines


def _mean(found: Mapping[str, Mapping[date, int]], day: date) -> float | None:
    """Milliseconds that an answer took on average."""
    count = found[figures.RESPONSES].get(day, 0)
    return round(found[figures.RESPONSE_MS].get(day, 0) / count, 1) if count else None


def _seconds(day: date) -> int:
    return int(datetime.combine(day, time(), UTC).timestamp())
