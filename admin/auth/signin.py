"""Sign in and out: by password, with a code where one is asked for, and once more when asked."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from admin.auth import halfway, rights
from admin.auth.browsers import Browsers
from admin.auth.paths import own_path
from admin.auth.proofs import Proofs
from admin.auth.rights import anybody, needs
from admin.panel import Panel
from staff import Admin, StaffRole

WRONG = "The name or the password is wrong."
WRONG_CODE = "The code is wrong, or it was used already: wait for the next one."
WRONG_PROOF = "That is wrong. A code of the authenticator works once."


class SignIn:
    """The routes /login, /login/code, /logout and /confirm."""

    def __init__(self, panel: Panel, browsers: Browsers) -> None:
        self.browsers = browsers
        self.proofs = Proofs(panel)
        self.clock = panel.clock

    def blueprint(self) -> Blueprint:
        """The routes, for the application."""
        routes = Blueprint("signin", __name__)
        routes.get("/login")(self.sign_in)
        routes.post("/login")(self.try_password)
        routes.get("/login/code")(self.ask_code)
        routes.post("/login/code")(self.try_code)
        routes.post("/logout")(self.sign_out)
        routes.get("/confirm")(self.confirm)
        routes.post("/confirm")(self.try_again)
        return routes

    def go_on(self, admin: Admin, how: str, there: str) -> Response:
        """Let somebody in, or ask for the code first; `how` they came is for the audit log."""
        if not admin.totp_secret:
            return self.browsers.sign_in(admin, how, there)
        halfway.begin(admin, how, self.clock())
        return redirect(url_for("signin.ask_code", next=there))

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
        if (admin := self.proofs.password(name, password)) is None:
            return _login(there, said=WRONG, name=name), 401
        return self.go_on(admin, "password", there)

    @anybody
    def ask_code(self) -> str | Response:
        """The form for the code, for whoever is halfway in."""
        there = own_path(request.args.get("next"))
        if halfway.find(self.clock()) is None:
            return redirect(url_for("signin.sign_in", next=there))
        return render_template("signin/code.html", next=there)

    @anybody
    def try_code(self) -> Response | tuple[str, int]:
        """Sign in by the code, or by a recovery code."""
        there = own_path(request.form.get("next"))
        if (found := halfway.find(self.clock())) is None:
            return redirect(url_for("signin.sign_in", next=there))
        admin, by = found
        if (how := self.proofs.code(admin, request.form.get("code", ""))) is None:
            return render_template("signin/code.html", next=there, said=WRONG_CODE), 401
        return self.browsers.sign_in(admin, f"{by} and {how}", there)

    @needs(StaffRole.VIEWER)
    def sign_out(self) -> Response:
        """End the session."""
        response = redirect("/login")
        self.browsers.sign_out(response)
        return response

    @needs(StaffRole.VIEWER)
    def confirm(self) -> str:
        """Ask for the password again, or for a code."""
        return render_template("signin/confirm.html", next=own_path(request.args.get("next")))

    @needs(StaffRole.VIEWER)
    def try_again(self) -> Response | tuple[str, int]:
        """Take the password, or a code, once more; the session gets another id."""
        there, proof = own_path(request.form.get("next")), request.form.get("proof", "")
        if (who := rights.visitor()) is None or not self.proofs.again(who.admin, proof):
            return render_template("signin/confirm.html", next=there, said=WRONG_PROOF), 401
        response = redirect(there)
        self.browsers.renew(response, confirmed=True)
        return response


def _login(there: str, **said: str) -> str:
    return render_template("signin/login.html", next=there, **said)
