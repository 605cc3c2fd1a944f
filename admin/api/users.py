"""People in the API: listed, changed, given out, erased."""

from __future__ import annotations

from typing import Any

from flask import Response, abort, json
from marshmallow import fields
from peewee import fn

from admin.api.fields import Asked, Moment, Text, Told, Whole, Word
from admin.api.paging import Paged, Slice, SliceOut, by_id
from admin.api.routes import Routes, panel
from admin.auth import rights
from models import Language, Role, Status, User
from services import changes, privacy
from services.cache import open_cache
from services.scopes import Scope
from services.traces import words_of
from staff import StaffRole

routes = Routes("People", "People who have met the bot.")

ONE = "/users/<key:user_id>"
MAY_BE_SET = [Status.ACTIVE, Status.BANNED]
"""The other statuses are what people did themselves."""


class UserOut(Told):
    """A person."""

    id = Whole()
    telegram_id = Whole()
    username = fields.String(allow_none=True)
    first_name = fields.String()
    last_name = fields.String(allow_none=True)
    language = Word(Language)
    status = Word(Status)
    role = Word(Role)
    referrer_id = Whole(allow_none=True)
    source = fields.String(allow_none=True)
    total_messages = Whole()
    last_activity_at = Moment(allow_none=True)
    created_at = Moment()
    updated_at = Moment()


class UsersOut(SliceOut):
    """A page of people."""

    items = fields.List(fields.Nested(UserOut))


class UsersAsked(Paged):
    """Which people."""

    role = Word(Role)
    status = Word(Status)
    telegram_id = Whole(1, digits=True)
    username = Text(64, shortest=1)
    referrer_id = Whole(1, digits=True)
    active_since = Moment()


class UserChange(Asked):
    """What is to be changed; the rest stays."""

    role = Word(Role)
    status = Word(MAY_BE_SET)  # type: ignore[arg-type]
    language = Word(Language)
    reason = Text(256, load_default="", metadata={"description": "Why somebody is banned."})


class ExportOut(Told):
    """All that is held on a person."""

    core = fields.Dict(keys=fields.String(), metadata={"description": "By table."})
    plugins = fields.Dict(keys=fields.String(), metadata={"description": "By plugin."})


class ErasureOut(Told):
    """What was erased."""

    rows = Whole(0)
    tables = fields.Dict(keys=fields.String(), values=Whole(0))
    plugins = fields.Dict(keys=fields.String())
    failed = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        metadata={"description": "Plugins that could not erase theirs, and why."},
    )


@routes.operation("GET", "/users", Scope.USERS_READ, UsersOut, query=UsersAsked)
def list_users(asked: dict[str, Any]) -> Slice:
    """List people, those who came last first."""
    query = User.select()
    for name in ("role", "status", "telegram_id", "referrer_id"):
        if name in asked:
            query = query.where(getattr(User, name) == asked[name])
    if username := asked.get("username"):
        query = query.where(fn.LOWER(User.username) == username.removeprefix("@").lower())
    if since := asked.get("active_since"):
        query = query.where(User.last_activity_at >= since)
    return by_id(query, User, asked["limit"], asked.get("cursor"))


@routes.operation("GET", ONE, Scope.USERS_READ, UserOut)
def get_user(user_id: int) -> User:
    """Get a person."""
    return find(user_id)


@routes.operation("PATCH", ONE, Scope.USERS_WRITE, UserOut, body=UserChange)
def change_user(change: dict[str, Any], user_id: int) -> User:
    """Ban or unban a person, change their language or their role.

    A role takes the scope `users:roles` too.
    """
    if "role" in change:
        rights.must(Scope.USERS_ROLES)
        _refuse_owners(find(user_id), change["role"])
    user = changes.change_user(
        rights.actor(),
        user_id,
        role=Role(change["role"]) if "role" in change else None,
        status=Status(change["status"]) if "status" in change else None,
        language=Language(change["language"]) if "language" in change else None,
        reason=change["reason"],
    )
    return user or abort(404, NOBODY)


@routes.operation("POST", f"{ONE}/export", Scope.USERS_EXPORT, ExportOut)
def export_user(user_id: int) -> Response:
    """Get all that is held on a person, of the core and of the plugins."""
    hooks = panel().registry.hooks("export_user")
    held = changes.export_user(rights.actor(), find(user_id), hooks)
    return Response(json.dumps(held, default=str), content_type="application/json")


@routes.operation("POST", f"{ONE}/erase", Scope.USERS_ERASE, ErasureOut, problems=(409,))
def erase_user(user_id: int) -> privacy.Receipt:
    """Erase a person everywhere. It cannot be undone; of a ban the bare id stays."""
    user = find(user_id)
    person = privacy.person_of(user)
    try:
        receipt = changes.erase_user(rights.actor(), user, panel().registry.hooks("delete_user"))
    except privacy.Erasing as error:
        abort(409, str(error))
    redis_url = panel().settings.redis_url
    if redis_url:
        open_cache(redis_url.reveal()).forget(words_of(person))
    return receipt


NOBODY = "There is nobody with this id."


def find(user_id: int) -> User:
    """A person by the id of the row; 404 when there is none."""
    user: User | None = User.get_or_none(User.id == user_id)
    return user or abort(404, NOBODY)


def _refuse_owners(user: User, role: str) -> None:
    """Let only owners of the panel make owners of the bot, or take that from them."""
    who = rights.caller()
    if Role.OWNER in (user.role, role) and who and not who.admin.role.may(StaffRole.OWNER):
        abort(403, "Only an owner of the panel decides who owns the bot.")
