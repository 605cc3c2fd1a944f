"""One person's page: what is known of them, and what the team may do to them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

from flask import Response, abort, flash, redirect, request
from flask_admin import expose
from werkzeug.wrappers import Response as BaseResponse

from admin.auth import rights
from admin.auth.rights import needs
from admin.erasure import erase
from admin.views.ask import LARGEST, field_number, row_of
from admin.views.page import Page
from models import Language, Role, Status, User
from services import care, dossier
from staff import StaffRole

UNSURE = "Nothing was erased: type the Telegram id of the person to confirm."
TERMS = {"": None, "1": "an hour", "24": "a day", "168": "a week", "720": "30 days"}
"""How long a ban may last, in hours."""

T = TypeVar("T", Role, Status, Language)


class PersonPages(Page):
    """The routes below /users/<id>."""

    @expose("/<int:user_id>")
    @needs(StaffRole.VIEWER)
    def show(self, user_id: int) -> str:
        """All of one person."""
        user = _find(user_id)
        before = field_number("before", default=LARGEST, low=1)
        return self.render(  # type: ignore[no-any-return]
            "users/person.html",
            about=dossier.of(user, before=before),
            events_count=dossier.count_events(user),
            terms=TERMS,
            choices={"role": Role, "status": _statuses(user), "language": Language},
        )

    @expose("/<int:user_id>/ban", methods=("POST",))
    @needs(StaffRole.OPERATOR)
    def ban(self, user_id: int) -> BaseResponse:
        """Ban, with a reason, for a while or for good."""
        until, reason = self._until(), request.form.get("reason", "")
        power = rights.power()
        return _did(
            user_id,
            "The person is banned.",
            lambda: care.ban(rights.actor(), [user_id], power, reason=reason, until=until),
        )

    @expose("/<int:user_id>/unban", methods=("POST",))
    @needs(StaffRole.OPERATOR)
    def unban(self, user_id: int) -> BaseResponse:
        """End a ban."""
        return _did(
            user_id,
            "The person is not banned any more.",
            lambda: care.unban(rights.actor(), [user_id], rights.power()),
        )

    @expose("/<int:user_id>/role", methods=("POST",))
    @needs(StaffRole.ADMIN, fresh=True)
    def set_role(self, user_id: int) -> BaseResponse:
        """Give another role in the bot."""
        role = _chosen(Role)
        return _did(
            user_id,
            f"The role is now {role}.",
            lambda: care.set_role(rights.actor(), user_id, role, rights.power()),
        )

    @expose("/<int:user_id>/status", methods=("POST",))
    @needs(StaffRole.OPERATOR)
    def set_status(self, user_id: int) -> BaseResponse:
        """Correct the status."""
        status = _chosen(Status)
        return _did(
            user_id,
            f"The status is now {status}.",
            lambda: care.set_status(rights.actor(), user_id, status, rights.power()),
        )

    @expose("/<int:user_id>/language", methods=("POST",))
    @needs(StaffRole.OPERATOR)
    def set_language(self, user_id: int) -> BaseResponse:
        """Speak another language."""
        language = _chosen(Language)
        return _did(
            user_id,
            f"The bot speaks {language} with the person.",
            lambda: care.set_language(rights.actor(), user_id, language, rights.power()),
        )

    @expose("/<int:user_id>/conversation", methods=("POST",))
    @needs(StaffRole.OPERATOR)
    def end_conversation(self, user_id: int) -> BaseResponse:
        """Forget what the bot asked in a chat."""
        bot_id, chat_id = field_number("bot_id"), field_number("chat_id", low=-LARGEST)
        return _did(
            user_id,
            "The bot has forgotten what it asked.",
            lambda: care.end_conversation(rights.actor(), user_id, bot_id, chat_id),
        )

    @expose("/<int:user_id>/note", methods=("POST",))
    @needs(StaffRole.OPERATOR)
    def note(self, user_id: int) -> BaseResponse:
        """Note something for the team."""
        text = request.form.get("text", "")
        return _did(user_id, "Noted.", lambda: care.note(rights.actor(), user_id, text))

    @expose("/<int:user_id>/note/delete", methods=("POST",))
    @needs(StaffRole.OPERATOR)
    def drop_note(self, user_id: int) -> BaseResponse:
        """Delete a note of one's own."""
        note_id = field_number("note_id")
        return _did(
            user_id, "The note is deleted.", lambda: care.drop_note(rights.actor(), note_id)
        )

    @expose("/<int:user_id>/export", methods=("POST",))
    @needs(StaffRole.ADMIN)
    def export_all(self, user_id: int) -> Response:
        """All that is held on the person, as a file."""
        _find(user_id)
        hooks = self.panel.registry.hooks("export_user")
        held = care.export(rights.actor(), user_id, hooks)
        text = json.dumps(held, ensure_ascii=False, indent=2).encode("utf-8", "replace")
        headers = {"Content-Disposition": f'attachment; filename="user-{user_id}.json"'}
        return Response(text, mimetype="application/json", headers=headers)

    @expose("/<int:user_id>/erase", methods=("POST",))
    @needs(StaffRole.ADMIN, fresh=True)
    def erase_all(self, user_id: int) -> str | BaseResponse:
        """Erase the person everywhere, when their Telegram id was typed, and show the receipt."""
        user = _find(user_id)
        try:
            if request.form.get("telegram_id", "").strip() != str(user.telegram_id):
                raise care.Refused(UNSURE)
            receipt = erase(self.panel, rights.actor(), user_id, rights.power())
        except care.Refused as error:
            flash(str(error), "error")
            return redirect(f"/users/{user_id}")
        return self.render("users/erased.html", receipt=receipt)  # type: ignore[no-any-return]

    def _until(self) -> datetime | None:
        """When a ban ends."""
        hours = request.form.get("hours", "")
        if hours not in TERMS:
            abort(400, "Choose how long the ban lasts.")
        return self.panel.clock() + timedelta(hours=int(hours)) if hours else None


def _find(user_id: int) -> User:
    return row_of(User, user_id, "There is no such person, or not any more.")


def _did(user_id: int, done: str, deed: Callable[[], object]) -> BaseResponse:
    """Do it, say so or why not, and go back to the person's page."""
    _find(user_id)
    try:
        result = deed()
    except care.Refused as refusal:
        flash(str(refusal), "error")
    else:
        if result:
            flash(done, "success")
        else:
            flash("There was nothing to change.", "warning")
    return redirect(f"/users/{user_id}")


def _chosen(kind: type[T]) -> T:
    """The member of an enumeration that a form named."""
    try:
        return kind(request.form.get("value", ""))
    except ValueError:
        abort(400, f"Choose one of: {', '.join(kind)}.")


def _statuses(user: User) -> list[Status]:
    """What a status can be corrected to."""
    return [each for each in Status if each != Status.BANNED or user.status == Status.BANNED]
