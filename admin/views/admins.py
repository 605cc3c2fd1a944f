"""Admins: who may use the panel, and as what."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import abort, flash, redirect, request, url_for
from flask_admin import expose
from werkzeug.wrappers import Response

from admin.auth import rights
from admin.auth.proofs import Proofs
from admin.auth.rights import Right, needs
from admin.panel import Panel
from admin.views.page import Page
from services import admins, arrivals, sessions
from staff import Admin, StaffRole


class Admins(Page):
    """The accounts of the team; for owners, who have just shown that it is them."""

    read = StaffRole.OWNER

    def __init__(self, panel: Panel) -> None:
        super().__init__(panel, name="Admins", category="Team", endpoint="admins", url="/admins")
        self.factors = Proofs(panel).factors

    def right_for(self, method: str) -> Right:
        """Looking needs a fresh session too, so that what follows is not interrupted."""
        del method
        return Right(self.read, fresh=True)

    @expose("/")
    def index(self) -> Any:
        """Every account."""
        return self._page()

    @expose("/", methods=["POST"])
    @needs(StaffRole.OWNER, fresh=True)
    def create(self) -> Any:
        """Make an account, and show the link with which its owner chooses a password."""
        form, actor = request.form, rights.actor()
        name, role = form.get("name", "").strip(), _role()
        try:
            number = admins.read_telegram_id(form.get("telegram_id", ""))
            admin = admins.create(actor, name, role, telegram_id=number)
        except admins.Refused as error:
            return self._page(said=str(error), given=form), 400
        return self._invited(admin)

    @expose("/<int:admin_id>/invite", methods=["POST"])
    @needs(StaffRole.OWNER, fresh=True)
    def invite(self, admin_id: int) -> Any:
        """Show a new link with which the password is chosen, for whoever forgot it."""
        return self._invited(_admin(admin_id))

    @expose("/<int:admin_id>/role", methods=["POST"])
    @needs(StaffRole.OWNER, fresh=True)
    def set_role(self, admin_id: int) -> Any:
        """Give another role."""
        admin, role = _admin(admin_id), _role()
        return self._do(
            lambda: admins.set_role(rights.actor(), admin, role),
            f"{admin.name} has the role {role} now, and signs in anew.",
        )

    @expose("/<int:admin_id>/telegram", methods=["POST"])
    @needs(StaffRole.OWNER, fresh=True)
    def set_telegram_id(self, admin_id: int) -> Any:
        """Say whose /panel opens the account."""
        admin, text = _admin(admin_id), request.form.get("telegram_id", "")
        return self._do(
            lambda: admins.set_telegram_id(rights.actor(), admin, admins.read_telegram_id(text)),
            f"The Telegram id of {admin.name} is changed.",
        )

    @expose("/<int:admin_id>/disable", methods=["POST"])
    @needs(StaffRole.OWNER, fresh=True)
    def disable(self, admin_id: int) -> Any:
        """Close an account; nothing of it is lost."""
        admin = _admin(admin_id)
        return self._do(
            lambda: admins.set_disabled(rights.actor(), admin, True),
            f"{admin.name} is shut out.",
        )

    @expose("/<int:admin_id>/enable", methods=["POST"])
    @needs(StaffRole.OWNER, fresh=True)
    def enable(self, admin_id: int) -> Any:
        """Open an account again."""
        admin = _admin(admin_id)
        return self._do(
            lambda: admins.set_disabled(rights.actor(), admin, False),
            f"{admin.name} may sign in again.",
        )

    @expose("/<int:admin_id>/reset-totp", methods=["POST"])
    @needs(StaffRole.OWNER, fresh=True)
    def reset_totp(self, admin_id: int) -> Any:
        """Ask for no codes any more, for whoever lost their phone and the recovery codes."""
        admin = _admin(admin_id)
        return self._do(
            lambda: self.factors.turn_off(rights.actor(), admin),
            f"{admin.name} signs in without a code until they set up another authenticator.",
        )

    @expose("/<int:admin_id>/sign-out", methods=["POST"])
    @needs(StaffRole.OWNER, fresh=True)
    def sign_out(self, admin_id: int) -> Any:
        """End all sessions of an account."""
        admin = _admin(admin_id)
        return self._do(
            lambda: admins.end_sessions(rights.actor(), admin),
            f"{admin.name} is signed out everywhere.",
        )

    def _do(self, work: Callable[[], object], said: str) -> Any:
        try:
            work()
        except admins.Refused as error:
            return self._page(said=str(error)), 400
        flash(said, "success")
        return _back()

    def _invited(self, admin: Admin) -> Any:
        token = arrivals.invite(rights.actor(), admin, self.panel.clock())
        address = f"{self.panel.settings.admin_url}/invite/{token}"
        return self._page(invited=admin, address=address)

    def _page(self, **words: Any) -> Any:
        return self.render(
            "admins.html",
            admins=Admin.select().order_by(Admin.disabled, Admin.id),
            sessions=sessions.count_by_admin(self.panel.clock()),
            **words,
        )


def _admin(admin_id: int) -> Admin:
    return admins.get(admin_id) or abort(404, "There is no such account.")


def _role() -> StaffRole:
    given = request.form.get("role", "")
    return StaffRole(given) if given in list(StaffRole) else abort(400, "There is no such role.")


def _back() -> Response:
    return redirect(url_for("admins.index"))
