"""How the bot is doing, in the API."""

from __future__ import annotations

from typing import Any

from flask import current_app
from marshmallow import fields
from peewee import SQL

from admin.api.fields import Moment, Told, Whole
from admin.api.routes import Routes, panel
from admin.questions import Questions
from models import Inbox, Lease
from services.scopes import Scope

routes = Routes("Health", "How the bot is doing.")

OPEN = SQL("state IN ('queued', 'new', 'replying')")
"""In the words of the index that is to be used."""


class PollerOut(Told):
    """Who fetches updates, and when it last said that it does."""

    name = fields.String()
    seen_at = Moment()


class HealthOut(Told):
    """How the bot is doing."""

    waiting = Whole(0, metadata={"description": "Updates that are not done yet."})
    oldest_at = Moment(allow_none=True, metadata={"description": "When the oldest of them came."})
    pollers = fields.List(fields.Nested(PollerOut))
    plugins = fields.Dict(
        keys=fields.String(),
        values=fields.String(allow_none=True),
        metadata={"description": "What is wrong with each plugin that can say; null: nothing."},
    )


@routes.operation("GET", "/health", Scope.HEALTH_READ, HealthOut)
def get_health() -> dict[str, Any]:
    """See how the bot is doing."""
    panel().refresh()
    waiting = Inbox.select().where(OPEN)
    oldest = waiting.order_by(Inbox.received_at).first()
    leases = Lease.select().order_by(Lease.name)
    return {
        "waiting": waiting.count(),
        "oldest_at": oldest.received_at if oldest else None,
        "pollers": [{"name": row.name, "seen_at": row.updated_at} for row in leases],
        "plugins": _plugins(),
    }


def _plugins() -> dict[str, str | None]:
    on = [name for name in panel().registry.paths if panel().switches.on(name)]
    questions: Questions = current_app.extensions["questions"]
    answers = questions.ask("health", on)
    return {name: answer.failed or answer.said or None for name, answer in answers.items()}
