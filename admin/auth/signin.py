"""Sign in and out: by password, and by a link that works once."""

from __future__ import annotations

from flask import Blueprint, abort, redirect, render_template, request
from werkzeug.wrappers import Response

from admin.auth import rights
from admin.auth.browsers import Browsers
from admin.auth.paths import own_path
from admin.auth.rights import anybody, needs
from admin.panel import Panel
from database import db
from services import admins, links, passwords, sessions
from services.audit import Actor
from staff import StaffRole

WRONG = "The name or the password is wrong."
OVER = "This link was used already, or it is too old. Make a new one."


class SignIn:
    """The routes /login, /logout, /confirm and /setup."""

    def __init__(self, panel: Panel, browsers: Browsers) -> None:
        self.panel = panel
        self.browsers = browsers

    def blueprint(self) -> Blueprint:
        """The routes, for the application."""
        routes = Blueprint("signin", __name__)
        routes.get("/login")(self.sign_in)
        routes.post("/login")(self.try_password)
        routes.post("/logout")(self.sign_out)
        routes.get("/confirm")(self.confirm)
        routes.post("/confirm")(self.try_again)
        routes.get("/setup/<token>")(self.set_up)
        routes.post("/setup/<token>")(self.make_first)
        return routes

    @anybody
    def sign_in(self) -> str | Response:
        """The form; whoever is signed in goes on."""
        there = own_path(request.args.get("next"))
        return redirect(there) if rights.visitor() else _login(there)

    @anybody
    def try_password(self) -> Response | tuple[str, int]:
        """Sign in by name and password."""
        there = own_path(request.form.get("next"))
        name, password = request.form.get("name", ""), request.form.get("password", "")
        if (admin := admins.check(name, password)) is None:
            return _login(there, said=WRONG, name=name), 401
        response = redirect(there)
        self.browsers.sign_in(admin, response)
        return response

    @needs(StaffRole.VIEWER)
    def sign_out(self) -> Response:
        """End the session."""
        response = redirect("/login")
        self.browsers.sign_out(response)
        return response

    @needs(StaffRole.VIEWER)
    def confirm(self) -> str:
        """Ask for the password again."""
        return render_template("signin/confirm.html", next=own_path(request.args.get("next")))

    @needs(StaffRole.VIEWER)
    def try_again(self) -> Response | tuple[str, int]:
        """Take the password once more."""
        who, there = rights.visitor(), own_path(request.form.get("next"))
        if who is None or not passwords.fits(request.form.get("password", ""), who.admin.password):
            return render_template("signin/confirm.html", next=there, said=WRONG), 401
        sessions.confirm(who.session, self.panel.clock())
        return redirect(there)

    @anybody
    def set_up(self, token: str) -> str:
        """The form for the first account."""
        if links.find(token, self.panel.clock()) is None or admins.any_owner():
            abort(404, OVER)
        return render_template("signin/setup.html", token=token)

    @anybody
    def make_first(self, token: str) -> Response | tuple[str, int]:
        """Make the first account, an owner's, and sign it in."""
        at, name = self.panel.clock(), request.form.get("name", "").strip()
        actor = Actor(None, "set-up link", request.remote_addr or "")
        try:
            with db.atomic():
                link = links.find(token, at)
                if link is None or link.admin_id or admins.any_owner() or not links.use(link, at):
                    abort(404, OVER)
                given = request.form.get("password", "")
                admin = admins.create(actor, name, StaffRole.OWNER, password=given)
        except admins.Refused as error:
            page = render_template("signin/setup.html", token=token, said=str(error), name=name)
            return page, 400
        response = redirect("/")
        self.browsers.sign_in(admin, response)
        return response


def _login(there: str, **said: str) -> str:
    return render_template("signin/login.html", next=there, **said)
