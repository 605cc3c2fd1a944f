"""Events in the API."""

from __future__ import annotations

from typing import Any

from marshmallow import fields

from admin.api.fields import Moment, Text, Told, Whole
from admin.api.paging import PagedByTime, Slice, SliceOut, by_time
from admin.api.routes import Routes
from models import AnalyticsEvent
from services.scopes import Scope

routes = Routes("Events", "What happened: messages, commands, joins, and what plugins track.")


class EventOut(Told):
    """Something that happened."""

    id = Whole()
    type = fields.String(attribute="event_type")
    user_id = Whole(allow_none=True)
    data = fields.Raw(allow_none=True, metadata={"description": "What was tracked with it."})
    created_at = Moment()


class EventsOut(SliceOut):
    """A page of events."""

    items = fields.List(fields.Nested(EventOut))


class EventsAsked(PagedByTime):
    """Which events."""

    type = Text(64, shortest=1)
    user_id = Whole(1, digits=True)
    since = Moment()
    until = Moment(metadata={"description": "Before this time."})


@routes.operation("GET", "/events", Scope.EVENTS_READ, EventsOut, query=EventsAsked)
def list_events(asked: dict[str, Any]) -> Slice:
    """List events, the newest first."""
    query = AnalyticsEvent.select()
    if "type" in asked:
        query = query.where(AnalyticsEvent.event_type == asked["type"])
    if "user_id" in asked:
        query = query.where(AnalyticsEvent.user == asked["user_id"])
    if "since" in asked:
        query = query.where(AnalyticsEvent.created_at >= asked["since"])
    if "until" in asked:
        query = query.where(AnalyticsEvent.created_at < asked["until"])
    page = (query, AnalyticsEvent, asked["limit"], asked.get("cursor"))
    return by_time(*page, by_key="user_id" in asked)  # a person's are found in that order
