"""Rights: what each route needs, and the one gate that all requests pass. No right, no entry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from flask import Flask, abort, current_app, g, redirect, request, url_for
from werkzeug.wrappers import Response

from admin.auth.paths import own_path, path_of
from services.audit import Actor
from staff import Admin, Session, StaffRole

F = TypeVar("F", bound=Callable[..., Any])

MARK = "needed_right"


@dataclass(frozen=True, slots=True)
class Right:
    """What a route needs: a role (None: nothing), and perhaps that the password is fresh."""

    role: StaffRole | None
    fresh: bool = False

    def __str__(self) -> str:
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


def needs(role: StaffRole, *, fresh: bool = False) -> Callable[[F], F]:
    """State the least role that a route is for; `fresh`: the password was given a moment ago."""
    return _marking(Right(role, fresh))


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


def actor() -> Actor:
    """Who does what is done now; for routes that need a role."""
    who = visitor()
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
    """The role of whoever is signed in; for routes that need one."""
    who = visitor()
    return who.admin.role if who else StaffRole.VIEWER


def ask_again() -> Response | None:
    """Where to give the password again, unless that was done a moment ago.

    For what is dangerous only in some cases; a route that always is says `fresh`.
    """
    who = visitor()
    if who and current_app.extensions["sessions"].is_fresh(who.session):
        return None
    return to_confirm()
