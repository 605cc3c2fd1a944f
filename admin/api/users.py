"""People in the API: listed, changed, given out, erased."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Response, abort, json
from marshmallow import fields
from peewee import fn

from admin.api.fields import Asked, Moment, Text, Told, Whole, Word
from admin.api.paging import Paged, Slice, SliceOut, by_id
from admin.api.routes import Routes, panel
from admin.auth import rights
from admin.erasure import erase
from admin.views.narrow import fitting
from models import Language, Role, Status, User
from services import care, privacy, search
from services.scopes import Scope

routes = Routes("People", "People who have met the bot.")

ONE = "/users/<key:user_id>"
MAY_BE_SET = [Status.ACTIVE, Status.BANNED]
"""The other statuses are what people did themselves."""
FACETS = [
    *fitting(User.role, "Role"),
    *fitting(User.status, "Status"),
    *fitting(User.language, "Language"),
]
PLAIN: dict[str, Any] = {
    "telegram_id": User.telegram_id,
    "referrer_id": User.referrer,
    "source": User.source,
}


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

    q = Text(100, shortest=1, metadata={"description": "Words of names, an @username, an id."})
    role = Word(Role)
    status = Word(Status)
    language = Word(Language)
    source = Text(64, shortest=1)
    telegram_id = Whole(1, digits=True)
    username = Text(64, shortest=1)
    referrer_id = Whole(1, digits=True)


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
    wanted = [facet.condition(asked[facet.name]) for facet in FACETS if facet.name in asked]
    wanted += [PLAIN[name] == asked[name] for name in PLAIN.keys() & asked.keys()]
    if "q" in asked:
        wanted.append(search.condition(asked["q"]))
    if "username" in asked:
        name = asked["username"].removeprefix("@").lower()
        wanted.append(fn.LOWER(User.username) == name)
    query = User.select().where(*wanted) if wanted else User.select()
    return by_id(query, User, asked["limit"], asked.get("cursor"))


@routes.operation("GET", ONE, Scope.USERS_READ, UserOut)
def get_user(user_id: int) -> User:
    """Get a person."""
    return find(user_id)


@routes.operation("PATCH", ONE, Scope.USERS_WRITE, UserOut, body=UserChange, problems=(409,))
def change_user(change: dict[str, Any], user_id: int) -> User:
    """Ban or unban a person, change their language or their role.

    A role takes the scope `users:roles` too. People with a role in the bot are for those who may
    give it.
    """
    if "role" in change:
        rights.must(Scope.USERS_ROLES)
    with told():
        return care.change(
            rights.actor(),
            user_id,
            rights.power(),
            role=Role(change["role"]) if "role" in change else None,
            status=Status(change["status"]) if "status" in change else None,
            language=Language(change["language"]) if "language" in change else None,
            reason=change["reason"],
        )


@routes.operation("POST", f"{ONE}/export", Scope.USERS_EXPORT, ExportOut, problems=(409,))
def export_user(user_id: int) -> Response:
    """Get all that is held on a person, of the core and of the plugins."""
    hooks = panel().registry.hooks("export_user")
    with told():
        held = care.export(rights.actor(), user_id, hooks)
    return Response(json.dumps(held, default=str), content_type="application/json")


@routes.operation("POST", f"{ONE}/erase", Scope.USERS_ERASE, ErasureOut, problems=(409,))
def erase_user(user_id: int) -> privacy.Receipt:
    """Erase a person everywhere. It cannot be undone; of a ban the bare id stays."""
    with told():
        return erase(panel(), rights.actor(), user_id, rights.power())


@contextmanager
def told() -> Iterator[None]:
    """Answer what is refused: by 404 and 403 where they say it, else by 409."""
    try:
        yield
    except care.Gone:
        abort(404, NOBODY)
    except care.Forbidden as error:
        abort(403, str(error))
    except care.Refused as error:
        abort(409, str(error))


NOBODY = "There is nobody with this id."


def find(user_id: int) -> User:
    """A person by the id of the row; 404 when there is none."""
    user: User | None = User.get_or_none(User.id == user_id)
    return user or abort(404, NOBODY)
