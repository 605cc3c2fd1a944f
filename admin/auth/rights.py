"""Rights: what each route needs, and the one gate that all requests pass. No right, no entry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from flask import Flask, abort, current_app, g, redirect, request, url_for
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Unauthorized
from werkzeug.wrappers import Response

from admin.auth.paths import own_path, path_of
from services.audit import Actor
from services.scopes import Scope
from staff import Admin, ApiToken, Session, StaffRole

F = TypeVar("F", bound=Callable[..., Any])

MARK = "needed_right"


@dataclass(frozen=True, slots=True)
class Right:
    """What a route needs: a role (None: nothing), and perhaps that the password is fresh.

    With a scope it is a route of the API, which a token opens and a session does not.
    """

    role: StaffRole | None
    fresh: bool = False
    scope: Scope | None = None

    def __str__(self) -> str:
        if self.scope is not None:
            return self.scope
        return "anybody" if self.role is None else self.role + ("!" if self.fresh else "")


ANYBODY: Final = Right(None)
ENROLLING = (
    "account.totp",
    "account.turn_on",
    "signin.confirm",
    "signin.try_again",
    "signin.sign_out",
)
"""What an owner may do who has no second factor yet."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who is signed in, and by which session."""

    admin: Admin
    session: Session

    @property
    def actor(self) -> Actor:
        """As whom they appear in the audit log."""
        return Actor(self.admin.id, self.admin.name, request.remote_addr or "")


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose token a request of the API brings."""

    token: ApiToken

    @property
    def admin(self) -> Admin:
        """The owner, with the role of now."""
        owner: Admin = self.token.admin
        return owner

    @property
    def actor(self) -> Actor:
        """As whom they appear in the audit log."""
        name = f"{self.admin.name} (token {self.token.name})"
        return Actor(self.admin.id, name, request.remote_addr or "")

    def holds(self, scope: Scope) -> bool:
        """Whether the token was made for this."""
        return scope.value in self.token.scopes


def needs(role: StaffRole, *, fresh: bool = False) -> Callable[[F], F]:
    """State the least role that a route is for; `fresh`: the password was given a moment ago."""
    return _marking(Right(role, fresh))


def needs_scope(scope: Scope) -> Callable[[F], F]:
    """State what a token must have been made for to open a route of the API."""
    return _marking(Right(scope.role, scope=scope))


def anybody(func: F) -> F:
    """State that a route is for everybody, signed in or not."""
    return _marking(ANYBODY)(func)


def _marking(right: Right) -> Callable[[F], F]:
    def mark(func: F) -> F:
        setattr(func, MARK, right)
        return func

    return mark


def right_of(app: Flask, endpoint: str) -> Right | None:
    """The right that a route states: its function, or the page that the function belongs to."""
    if endpoint.rpartition(".")[2] == "static":
        return ANYBODY
    func = app.view_functions[endpoint]
    if right := getattr(func, MARK, None):
        return right  # type: ignore[no-any-return]
    state = getattr(getattr(func, "__self__", None), "right_for", None)
    return state(func.__name__) if state else None


def visitor() -> Visitor | None:
    """Who is signed in, of the request that is being answered."""
    found: Visitor | None = g.get("visitor")
    return found


def caller() -> Caller | None:
    """Whose token the request brought that is being answered."""
    found: Caller | None = g.get("caller")
    return found


def actor() -> Actor:
    """Who does what is done now; for routes that need a role."""
    who = caller() or visitor()
    return who.actor if who else Actor(None, "nobody", request.remote_addr or "")


def may(role: StaffRole | None) -> bool:
    """Whether whoever is signed in has a role or a higher one."""
    who = visitor()
    return role is None or (who is not None and who.admin.role.may(role))


def pass_gate() -> Response | None:
    """Let a request through, send it to the sign-in, or refuse it; before every request."""
    if request.endpoint is None:  # 404 or 405: there is nothing to guard
        return None
    right = right_of(current_app, request.endpoint)
    if right is None:
        abort(403, "This page states no right, so nobody may see it.")
    if right.scope is not None:
        check_token(right.scope)
        return None
    if right.role is None:
        return None
    who = visitor()
    if who is None:
        return to_sign_in()
    if not who.admin.role.may(right.role):
        abort(403, f"This needs the role {right.role}; yours is {who.admin.role}.")
    if must_enrol(who.admin) and request.endpoint not in ENROLLING:
        return redirect(url_for("account.totp"))
    if right.fresh and not current_app.extensions["sessions"].is_fresh(who.session):
        return to_confirm()
    return None


def check_token(scope: Scope) -> None:
    """Refuse a request of the API without a token, or with one that may not do this."""
    who = caller()
    if who is None:
        said = "Send a token that is in force, as in Authorization: Bearer sg_…"
        raise Unauthorized(said, www_authenticate=WWWAuthenticate("bearer", {"realm": "api"}))
    current_app.extensions["bearers"].count(who)
    if must_enrol(who.admin):
        abort(403, "Its owner must set up a second factor first.")
    must(scope)


def must(scope: Scope) -> None:
    """Refuse what the token was not made for, or what its owner's role may not do now."""
    who = caller()
    if who is None or not who.holds(scope):
        abort(403, f"This needs a token with the scope {scope}.")
    if not who.admin.role.may(scope.role):
        abort(403, f"This needs the role {scope.role}; its owner's is {who.admin.role}.")


def must_enrol(admin: Admin) -> bool:
    """Whether somebody may do nothing before they have a second factor: an owner in production."""
    secure: bool = current_app.extensions["sessions"].secure
    return secure and admin.role is StaffRole.OWNER and not admin.totp_secret


def to_confirm() -> Response:
    """Where to go to give the password, or a code, again."""
    return _to("signin.confirm")


def to_sign_in() -> Response:
    """Where to go without a session: a page is led to the sign-in, anything else is refused."""
    if request.method != "GET" or "text/html" not in request.headers.get("Accept", "text/html"):
        abort(401, "Sign in first.")
    return _to("signin.sign_in")


def _to(endpoint: str) -> Response:
    """Lead to a form of the sign-in, and from there back to where the visitor is."""
    here = request.full_path.rstrip("?")
    if request.method != "GET":
        here = own_path(path_of(request.referrer))
    return redirect(url_for(endpoint, next=here))


def power() -> StaffRole:
    """The role of whoever is signed in, or whose token it is; for routes that need one."""
    who = caller() or visitor()
    return who.admin.role if who else StaffRole.VIEWER


def ask_again() -> Response | None:
    """Where to give the password again, unless that was done a moment ago.

    For what is dangerous only in some cases; a route that always is says `fresh`.
    """
    who = visitor()
    if who and current_app.extensions["sessions"].is_fresh(who.session):
        return None
    return to_confirm()
