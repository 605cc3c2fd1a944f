"""Doors: what the links open that work once. Looking at one, as previews do, uses nothing up."""

from __future__ import annotations

from flask import Blueprint, abort, render_template, request
from werkzeug.wrappers import Response

from admin.auth.rights import anybody
from admin.auth.signin import SignIn
from services import admins, arrivals, links
from services.audit import Actor
from services.links import Purpose
from staff import Admin

OVER = "This link was used already, or it is too old. Make a new one."


class Doors:
    """The routes /setup, /invite and /enter."""

    def __init__(self, sign_in: SignIn) -> None:
        self._sign_in = sign_in
        self._clock = sign_in.clock

    def blueprint(self) -> Blueprint:
        """The routes, for the application."""
        routes = Blueprint("doors", __name__)
        for path, show, open_ in (
            ("/setup/<token>", self.set_up, self.make_first),
            ("/invite/<token>", self.invite, self.choose_password),
            ("/enter/<token>", self.enter, self.come_in),
        ):
            routes.get(path)(show)
            routes.post(path)(open_)
        return routes

    @anybody
    def set_up(self, token: str) -> str:
        """The form for the first account."""
        if links.find(token, Purpose.SET_UP, self._clock()) is None or admins.any_owner():
            abort(404, OVER)
        return render_template("signin/setup.html", token=token)

    @anybody
    def make_first(self, token: str) -> Response | tuple[str, int]:
        """Make the first account, an owner's, and sign it in."""
        name, password = request.form.get("name", "").strip(), request.form.get("password", "")
        actor = Actor(None, "set-up link", request.remote_addr or "")
        try:
            admin = arrivals.accept_set_up(actor, token, name, password, self._clock())
        except admins.Refused as error:
            page = render_template("signin/setup.html", token=token, said=str(error), name=name)
            return page, 400
        return self._sign_in.go_on(_there(admin), "set-up link", "/")

    @anybody
    def invite(self, token: str) -> str:
        """The form in which somebody chooses their password."""
        admin = _there(arrivals.invited(token, Purpose.INVITE, self._clock()))
        return render_template("signin/invite.html", token=token, name=admin.name)

    @anybody
    def choose_password(self, token: str) -> Response | tuple[str, int]:
        """Take the password, and sign them in."""
        given, here = request.form.get("password", ""), request.remote_addr or ""
        known = _there(arrivals.invited(token, Purpose.INVITE, self._clock()))
        try:
            admin = arrivals.accept_invite(token, given, self._clock(), address=here)
        except admins.Refused as error:
            said = {"said": str(error), "name": known.name}
            return render_template("signin/invite.html", token=token, **said), 400
        return self._sign_in.go_on(_there(admin), "invitation", "/")

    @anybody
    def enter(self, token: str) -> str:
        """One button: who opens the link of the bot presses it."""
        admin = _there(arrivals.invited(token, Purpose.PANEL, self._clock()))
        return render_template("signin/enter.html", token=token, name=admin.name)

    @anybody
    def come_in(self, token: str) -> Response:
        """Sign in by the link of the bot, which is used up."""
        admin = _there(arrivals.accept_panel_link(token, self._clock()))
        return self._sign_in.go_on(admin, "link from the bot", "/")


def _there(admin: Admin | None) -> Admin:
    return admin or abort(404, OVER)
