"""Failures in the API: seen, replayed, dismissed."""

from __future__ import annotations

from typing import Any

from flask import abort
from marshmallow import fields

from admin.api.fields import Moment, Text, Told, Whole, Word
from admin.api.paging import Paged, Slice, SliceOut, by_id
from admin.api.routes import Routes
from admin.auth import rights
from models import Failure
from services import groups
from services.scopes import Scope

routes = Routes("Failures", "Updates whose handlers raised.")

ONE = "/failures/<key:failure_id>"
STATES = ["open", "replayed", "dismissed"]
CLOSED = "It is not open any more, or its update is gone or waits already."


class FailureOut(Told):
    """A failure, without its traceback and its update."""

    id = Whole()
    bot_id = Whole()
    update_id = Whole()
    plugin = fields.String()
    handler = fields.String()
    error = fields.String()
    message = fields.String()
    fingerprint = fields.String(
        metadata={"description": "The same for the same error in the same place."}
    )
    telegram_user_id = Whole(attribute="user_id", allow_none=True)
    chat_id = Whole(allow_none=True)
    state = Word(STATES)
    created_at = Moment()
    updated_at = Moment()


class FailureWhole(FailureOut):
    """A failure with its traceback, and the update as JSON text while it is kept."""

    traceback = fields.String()
    payload = fields.String(allow_none=True)


class FailuresOut(SliceOut):
    """A page of failures."""

    items = fields.List(fields.Nested(FailureOut))


class FailuresAsked(Paged):
    """Which failures."""

    state = Word(STATES)
    fingerprint = Text(64, shortest=1)


@routes.operation("GET", "/failures", Scope.FAILURES_READ, FailuresOut, query=FailuresAsked)
def list_failures(asked: dict[str, Any]) -> Slice:
    """List failures, the newest first."""
    query = Failure.select()
    for name in ("state", "fingerprint"):
        if name in asked:
            query = query.where(getattr(Failure, name) == asked[name])
    return by_id(query, Failure, asked["limit"], asked.get("cursor"))


@routes.operation("GET", ONE, Scope.FAILURES_READ, FailureWhole)
def get_failure(failure_id: int) -> Failure:
    """Get a failure with its traceback and its update."""
    return _find(failure_id)


@routes.operation("POST", f"{ONE}/replay", Scope.FAILURES_WRITE, FailureWhole, problems=(409,))
def replay_failure(failure_id: int) -> Failure:
    """Have the update handled once more."""
    return _close(failure_id, "replay")


@routes.operation("POST", f"{ONE}/dismiss", Scope.FAILURES_WRITE, FailureWhole, problems=(409,))
def dismiss_failure(failure_id: int) -> Failure:
    """Close a failure for good; its update is dropped."""
    return _close(failure_id, "dismiss")


def _close(failure_id: int, act: str) -> Failure:
    _find(failure_id)
    if not groups.act_on(rights.actor(), act, failure_id):
        abort(409, CLOSED)
    return _find(failure_id)


def _find(failure_id: int) -> Failure:
    found: Failure | None = Failure.get_or_none(Failure.id == failure_id)
    return found or abort(404, "There is no failure with this id.")
