"""How the bot is doing, in the API."""

from __future__ import annotations

from typing import Any

from flask import current_app
from marshmallow import fields

from admin.api.fields import Told, Whole
from admin.api.routes import Routes, panel
from admin.questions import Questions
from services import pulse
from services.scopes import Scope

routes = Routes("Health", "How the bot is doing.")


class PollerOut(Told):
    """Who acts for a bot."""

    bot_id = Whole()
    state = fields.String(metadata={"enum": ["running", "silent", "stopped"]})
    seconds = fields.Float(
        attribute="ago", metadata={"description": "Since it last gave a sign of life."}
    )


class HealthOut(Told):
    """How the bot is doing. What waits is counted up to 10,000: a larger number means more."""

    inbox = Whole(0, metadata={"description": "Updates that are not done yet."})
    oldest_seconds = fields.Float(metadata={"description": "How long the oldest has waited."})
    notices = Whole(0)
    outgoing = Whole(0, metadata={"description": "Messages of the team to be sent."})
    unread = Whole(0, metadata={"description": "Messages to the team."})
    failures = Whole(0, metadata={"description": "Open ones."})
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
    at = panel().clock()
    told = pulse.waiting(at)._asdict()
    told["oldest_seconds"] = told.pop("oldest")
    return {**told, "pollers": pulse.pollers(at), "plugins": _plugins()}


def _plugins() -> dict[str, str | None]:
    on = [name for name in panel().registry.paths if panel().switches.on(name)]
    questions: Questions = current_app.extensions["questions"]
    answers = questions.ask("health", on)
    return {name: answer.failed or answer.said or None for name, answer in answers.items()}
