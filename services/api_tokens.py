"""Tokens of the REST API: made, shown once, recognised, revoked; kept as digests."""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from peewee import JOIN

from database import current, db
from services import audit, tokens
from services.audit import Actor
from services.scopes import Scope
from staff import Admin, ApiToken

MARK = "sg_"
"""What every token begins with, so that one that got out is found in texts."""
READABLE = 11
"""Letters of the beginning that stay readable, by which a token is looked up."""
TOUCHED = timedelta(minutes=1)
"""How often it is written down that a token is in use."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,31}")
MAKING = 0xA917
"""Key of the lock under which tokens are made one at a time; the log's comes last of all."""
MOST = 50
"""Tokens in force that one account may have."""

Made: TypeAlias = tuple[ApiToken, str]


class Refused(ValueError):
    """A token cannot be made so; one sentence that says why."""


def create(
    actor: Actor,
    admin: Admin,
    name: str,
    scopes: Iterable[Scope],
    *,
    at: datetime,
    expires_at: datetime | None = None,
) -> Made:
    """Make a token; give its row, and the token itself, which is kept nowhere. Raises Refused."""
    wanted = sorted(set(scopes))
    _check(admin, name, wanted)
    with db.atomic():
        current().serialise(MAKING)
        mine = [token for token in of(admin) if is_in_force(token, at)]
        if name in {token.name for token in mine}:
            raise Refused(f"You have a token called {name} already: choose another name.")
        if len(mine) >= MOST:
            raise Refused(f"You have {MOST} tokens: revoke one that is not needed any more.")
        secret = MARK + tokens.make()
        token: ApiToken = ApiToken.create(
            admin=admin,
            name=name,
            prefix=secret[:READABLE],
            digest=tokens.digest(secret),
            scopes=[scope.value for scope in wanted],
            expires_at=expires_at,
            created_at=at,
        )
        said = {"name": name, "scopes": token.scopes, "expires_at": expires_at}
        audit.record(actor, "token.create", f"token:{token.id}", after=said)
    return token, secret


def find(secret: str, at: datetime) -> ApiToken | None:
    """The token with its owner's account, while it is in force; read anew for every request."""
    if not secret.startswith(MARK):
        return None
    token: ApiToken | None = (
        ApiToken.select(ApiToken, Admin)
        .join(Admin, JOIN.INNER)
        .where(ApiToken.prefix == secret[:READABLE], ~Admin.disabled)
        .first()
    )
    if token is None or not is_in_force(token, at):
        return None
    return token if hmac.compare_digest(token.digest, tokens.digest(secret)) else None


def is_in_force(token: ApiToken, at: datetime) -> bool:
    """Whether a token was not revoked, and its time is not over."""
    return token.revoked_at is None and (token.expires_at is None or at < token.expires_at)


def touch(token: ApiToken, at: datetime) -> None:
    """Write down that a token is in use, once a minute."""
    if token.used_at is None or at - token.used_at >= TOUCHED:
        ApiToken.update(used_at=at).where(ApiToken.id == token.id).execute()


def revoke(actor: Actor, token: ApiToken, at: datetime) -> bool:
    """End a token for good, on every worker at once; False when it was revoked before."""
    with db.atomic():
        open_ = (ApiToken.id == token.id) & ApiToken.revoked_at.is_null()
        if not ApiToken.update(revoked_at=at).where(open_).execute():
            return False
        audit.record(
            actor, "token.revoke", f"token:{token.id}", {"revoked": False}, {"revoked": True}
        )
    return True


def of(admin: Admin) -> list[ApiToken]:
    """The tokens of an account, newest first."""
    return list(_newest().where(ApiToken.admin == admin.id))


def every() -> list[ApiToken]:
    """The tokens of all accounts with their owners, newest first."""
    return list(_newest())


def _newest() -> Any:
    rows = ApiToken.select(ApiToken, Admin).join(Admin, JOIN.INNER)
    return rows.order_by(ApiToken.id.desc())


def _check(admin: Admin, name: str, scopes: list[Scope]) -> None:
    if not NAME.fullmatch(name):
        raise Refused("A token's name is 1 to 32 of the characters A-Z a-z 0-9 . _ - and blanks.")
    if not scopes:
        raise Refused("Choose at least one thing that the token may do.")
    for scope in scopes:
        if not admin.role.may(scope.role):
            raise Refused(f"{scope} needs the role {scope.role}; yours is {admin.role}.")
