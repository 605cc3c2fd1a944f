"""Browsers: the cookie that says who is signed in, set, read and taken away."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from flask import abort, g, redirect, request
from flask import session as form_cookie
from werkzeug.wrappers import Response as BaseResponse

from admin.auth.rights import Visitor
from services import admins, sessions
from staff import Admin, Session

BACKGROUND = "X-Background"
"""A header of requests that a page makes by itself: they do not keep a session alive."""


class Browsers:
    """Sessions by cookie. In production the cookie needs https and cannot be set by a sibling."""

    def __init__(self, *, secure: bool, clock: Callable[[], datetime]) -> None:
        self.secure = secure
        self.cookie = "__Host-steadygram" if secure else "steadygram"
        self._clock = clock

    def recognise(self) -> None:
        """Find out who is signed in; before every request."""
        token = request.cookies.get(self.cookie, "")
        used = BACKGROUND not in request.headers
        session = sessions.find(token, self._clock(), used=used) if token else None
        g.visitor = Visitor(session.admin, session) if session else None

    def sign_in(self, admin: Admin, how: str, there: str) -> BaseResponse:
        """Begin a session in this browser, and go on; one that it had, and its forms, are over."""
        self.end_current()
        form_cookie.clear()
        token = admins.sign_in(
            admin,
            how=how,
            address=request.remote_addr or "",
            agent=request.user_agent.string.replace("\0", ""),
            at=self._clock(),
        )
        if token is None:
            abort(401, "The account was changed a moment ago: sign in again.")
        response = redirect(there)
        self._give(token, response)
        return response

    def renew(self, response: BaseResponse, *, confirmed: bool) -> None:
        """Give the session another id; `confirmed`: the password or a code was given."""
        token = sessions.renew(g.visitor.session, self._clock(), confirmed=confirmed)
        if token is None:
            abort(401, "This session was ended meanwhile: sign in again.")
        self._give(token, response)

    def sign_out(self, response: BaseResponse) -> None:
        """End this browser's session."""
        self.end_current()
        form_cookie.clear()
        response.delete_cookie(
            self.cookie, secure=self.secure, httponly=True, samesite="Lax", path="/"
        )

    def end_current(self) -> None:
        """End the session that the request came with."""
        if g.get("visitor"):
            sessions.end(g.visitor.session.digest)

    def is_fresh(self, session: Session) -> bool:
        """Whether the password or a code was given a moment ago."""
        return sessions.is_fresh(session, self._clock())

    def _give(self, token: str, response: BaseResponse) -> None:
        response.set_cookie(
            self.cookie, token, secure=self.secure, httponly=True, samesite="Lax", path="/"
        )
