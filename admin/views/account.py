"""Your account: everybody's own password, second factor and sessions."""

from __future__ import annotations

from typing import Any

import segno
from flask import abort, current_app, flash, make_response, redirect, request, url_for
from flask_admin import expose
from werkzeug.wrappers import Response

from admin.auth import rights
from admin.auth.browsers import Browsers
from admin.auth.proofs import Proofs
from admin.auth.rights import Visitor, needs
from admin.panel import Panel
from admin.views.page import Page
from services import admins, factors, sessions
from staff import StaffRole

WRONG = "The password you have now is another one."


class Account(Page):
    """What somebody may change about themselves; it is behind their name, not in the menu."""

    read = StaffRole.VIEWER

    def __init__(self, panel: Panel) -> None:
        super().__init__(panel, name="Your account", endpoint="account", url="/account")
        self.proofs = Proofs(panel)

    def is_visible(self) -> bool:
        """Whether it is in the menu."""
        return False

    @expose("/")
    def index(self) -> Any:
        """Password, second factor and sessions."""
        return self._page()

    @expose("/password", methods=["POST"])
    @needs(StaffRole.VIEWER)
    def set_password(self) -> Any:
        """Take another password; all other sessions end, and this one gets another id."""
        who, form = _visitor(), request.form
        if who.admin.password is None and not _browsers().is_fresh(who.session):
            return rights.to_confirm()
        if who.admin.password and not self.proofs.own_password(who.admin, form.get("now", "")):
            return self._page(said=WRONG), 401
        given, own = form.get("password", ""), who.session.digest
        try:
            admins.set_password(who.actor, who.admin, given, but=own)
        except admins.Refused as error:
            return self._page(said=str(error)), 400
        return _renewed(_back("The password is changed. All other sessions have ended."))

    @expose("/totp")
    @needs(StaffRole.VIEWER, fresh=True)
    def totp(self) -> Any:
        """Show a new secret as a picture, to be read by an authenticator."""
        secret, sealed = self.proofs.factors.offer(_visitor().admin, self.panel.clock())
        return self._enrolment(secret, sealed)

    @expose("/totp", methods=["POST"])
    @needs(StaffRole.VIEWER, fresh=True)
    def turn_on(self) -> Any:
        """Ask for codes from now on, when the first one is right; show the recovery codes."""
        who, sealed, at = _visitor(), request.form.get("offer", ""), self.panel.clock()
        code, own = request.form.get("code", ""), who.session.digest
        try:
            codes = self.proofs.factors.turn_on(who.actor, who.admin, sealed, code, at, but=own)
        except admins.Refused as error:
            return self._again(sealed, str(error))
        return _renewed(make_response(self.render("account/codes.html", codes=codes)))

    @expose("/totp/off", methods=["POST"])
    @needs(StaffRole.VIEWER, fresh=True)
    def turn_off(self) -> Any:
        """Ask for no codes any more; owners in production keep them."""
        who = _visitor()
        if _browsers().secure and who.admin.role is StaffRole.OWNER:
            abort(403, "An owner signs in with a second factor: you can only set up another one.")
        self.proofs.factors.turn_off(who.actor, who.admin, but=who.session.digest)
        return _renewed(_back("No codes are asked for any more. All other sessions have ended."))

    @expose("/codes", methods=["POST"])
    @needs(StaffRole.VIEWER, fresh=True)
    def renew_codes(self) -> Any:
        """Show new recovery codes; the old ones are over."""
        who = _visitor()
        if not who.admin.totp_secret:
            abort(400, "There is nothing to recover: set up an authenticator first.")
        codes = self.proofs.factors.renew_codes(who.actor, who.admin)
        return self.render("account/codes.html", codes=codes)

    @expose("/sessions/end", methods=["POST"])
    @needs(StaffRole.VIEWER)
    def end_session(self) -> Any:
        """End one of one's own sessions."""
        who, digest = _visitor(), request.form.get("session", "")
        ended = admins.end_session(who.actor, who.admin, digest)
        return _back("The session has ended." if ended else "That session had ended already.")

    @expose("/sessions/end-all", methods=["POST"])
    @needs(StaffRole.VIEWER)
    def end_sessions(self) -> Any:
        """Sign out everywhere, here too."""
        who = _visitor()
        admins.end_sessions(who.actor, who.admin)
        response = redirect("/login")
        _browsers().sign_out(response)
        return response

    def _page(self, said: str = "") -> Any:
        who = _visitor()
        return self.render(
            "account/account.html",
            said=said,
            sessions=sessions.of(who.admin, self.panel.clock()),
            codes_left=factors.codes_left(who.admin),
            must_keep_codes=_browsers().secure and who.admin.role is StaffRole.OWNER,
        )

    def _again(self, sealed: str, said: str) -> Any:
        """The same picture once more, or a new one when the old is of no use."""
        admin, at = _visitor().admin, self.panel.clock()
        try:
            secret = self.proofs.factors.offered(admin, sealed, at)
        except ValueError:
            secret, sealed = self.proofs.factors.offer(admin, at)
        return self._enrolment(secret, sealed, said), 400

    def _enrolment(self, secret: str, sealed: str, said: str = "") -> Any:
        picture = segno.make(factors.address(_visitor().admin, secret), error="m", micro=False)
        return self.render(
            "account/totp.html",
            picture=picture.svg_data_uri(scale=5, border=3, light="#fff", dark="#000"),
            secret=" ".join(secret[place : place + 4] for place in range(0, len(secret), 4)),
            offer=sealed,
            said=said,
            required=rights.must_enrol(_visitor().admin),
        )


def _visitor() -> Visitor:
    return rights.visitor() or abort(401)


def _browsers() -> Browsers:
    browsers: Browsers = current_app.extensions["sessions"]
    return browsers


def _back(said: str) -> Response:
    flash(said, "success")
    return redirect(url_for("account.index"))


def _renewed(response: Response) -> Response:
    _browsers().renew(response, confirmed=False)
    return response
