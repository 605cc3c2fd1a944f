"""The page of API tokens: made and shown once, listed, revoked."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import abort, redirect, request
from flask_admin import expose

from admin.auth import rights
from admin.auth.rights import needs
from admin.panel import Panel
from admin.views.page import Page
from services import api_tokens, scopes
from services.scopes import Scope
from staff import Admin, ApiToken, StaffRole

DAYS = {"7": "a week", "30": "a month", "90": "three months", "365": "a year", "": "no end"}
CHOSEN = "90"


class Tokens(Page):
    """One's own tokens; owners see everybody's."""

    read = StaffRole.ADMIN

    def __init__(self, panel: Panel) -> None:
        super().__init__(
            panel, name="API tokens", category="Team", endpoint="tokens", url="/tokens"
        )

    @expose("/")
    def index(self) -> Any:
        """The list."""
        at = self.panel.clock()
        every = rights.may(StaffRole.OWNER)
        shown = api_tokens.every() if every else api_tokens.of(_me())
        said = {token.id: state(token, at) for token in shown}
        return self.render("tokens/list.html", tokens=shown, states=said, every=every)

    @expose("/new", methods=["GET"])
    @needs(StaffRole.ADMIN, fresh=True)
    def new(self) -> Any:
        """The form; who opens it gives the password first, so that nothing is typed in vain."""
        return self._form()

    @expose("/new", methods=["POST"])
    @needs(StaffRole.ADMIN, fresh=True)
    def create(self) -> Any:
        """Make a token, and show it this once."""
        name, days = request.form.get("name", "").strip(), request.form.get("days", CHOSEN)
        wanted = request.form.getlist("scope")
        if days not in DAYS or not set(wanted) <= {scope.value for scope in Scope}:
            abort(400, "The form was not filled in on its page: open it again.")
        at = self.panel.clock()
        until = at + timedelta(days=int(days)) if days else None
        try:
            token, secret = api_tokens.create(
                rights.actor(), _me(), name, map(Scope, wanted), at=at, expires_at=until
            )
        except api_tokens.Refused as error:
            return self._form(said=str(error), name=name, days=days, wanted=wanted), 400
        return self.render("tokens/made.html", token=token, secret=secret)

    @expose("/revoke", methods=["POST"])
    @needs(StaffRole.ADMIN)
    def revoke(self) -> Any:
        """End a token: one's own, or for an owner anybody's."""
        given = request.form.get("id", "")
        number = int(given) if given.isascii() and given.isdigit() and len(given) < 10 else 0
        token = ApiToken.get_or_none(ApiToken.id == number)
        if token is None or not (token.admin_id == _me().id or rights.may(StaffRole.OWNER)):
            abort(404, "You have no such token.")
        api_tokens.revoke(rights.actor(), token, self.panel.clock())
        return redirect("/tokens/")

    def _form(self, **filled: Any) -> Any:
        open_ = scopes.open_to(_me().role)
        return self.render(
            "tokens/new.html",
            scopes=open_,
            choices=DAYS,
            **{"days": CHOSEN, "wanted": [], **filled},
        )


def state(token: ApiToken, at: Any) -> str:
    """Whether a token opens anything, in a word."""
    if token.revoked_at is not None:
        return "revoked"
    if token.admin.disabled:
        return "owner disabled"
    return "in force" if api_tokens.is_in_force(token, at) else "expired"


def _me() -> Admin:
    who = rights.visitor()
    return who.admin if who else abort(401)
