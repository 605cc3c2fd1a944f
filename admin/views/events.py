"""Events: what happened, newest first, by type, person and day."""

from __future__ import annotations

from typing import Any

from flask import request

from admin.panel import Panel
from admin.views.narrow import Person, Since, Until, Word
from admin.views.shown import data, each, moment, person
from admin.views.table import Table
from models import AnalyticsEvent
from services import analytics
from staff import StaffRole


class Events(Table):
    """Every event of the statistics."""

    read = StaffRole.VIEWER
    empty = "Nothing has happened yet: write to the bot, and it shows here."
    column_list = ("created_at", "event_type", "user", "data")
    column_labels = {  # noqa: RUF012
        "created_at": "When",
        "event_type": "Type",
        "user": "Person",
        "data": "Data",
    }
    column_sortable_list = ()
    column_formatters = {  # noqa: RUF012
        "created_at": each(moment),
        "user": each(person),
        "data": each(data),
    }
    prefetched = ("user",)
    narrowed_by = (
        Word("type", "Type", AnalyticsEvent.event_type, words=analytics.event_types),
        Person("user", "Person: id or @name", AnalyticsEvent.user),
        Since("from", "From", AnalyticsEvent.created_at),
        Until("to", "To", AnalyticsEvent.created_at),
    )

    def __init__(self, panel: Panel) -> None:
        where = {"category": "Bot", "endpoint": "events", "url": "/events"}
        super().__init__(panel, AnalyticsEvent, name="Events", **where)

    def _order(self, column: str | None, descending: bool) -> list[Any]:
        """By time, so that days are found by its index; a person's by key, as theirs has them."""
        del column, descending
        if request.args.get("user", "").strip():
            return [AnalyticsEvent.id.desc()]
        return [AnalyticsEvent.created_at.desc(), AnalyticsEvent.id.desc()]
