"""Users: everybody who has met a bot, searched, chosen, banned and taken out as a table."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from typing import Any

from flask import Response, abort, flash, request, send_file
from flask_admin import expose
from flask_admin.actions import action

from admin.auth import rights
from admin.auth.rights import needs
from admin.panel import Panel
from admin.views.narrow import Filter, Person, fitting
from admin.views.person import PersonPages
from admin.views.shown import badge, each, handle, moment, person, row, text
from admin.views.table import Table
from models import User
from services import audit, care, search, sheets
from staff import StaffRole

FEW = 20
"""People who are banned at once without the password being asked for again."""
EXCEL = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def _filters() -> list[Filter]:
    return [
        *fitting(User.role, "Role"),
        *fitting(User.status, "Status"),
        *fitting(User.language, "Language"),
        *fitting(User.last_activity_at, "Last seen"),
        Filter("source", "Source", User.source),
        Person("referrer", "Brought by: id or @name", User.referrer),
    ]


class Users(PersonPages, Table):
    """The list, and the page of each person."""

    read, write = StaffRole.VIEWER, StaffRole.OPERATOR
    empty = "Nobody has met the bot yet: write to it, and you are the first."
    looked_for = "Name, @username or id"
    list_template = "users/list.html"
    column_list = (
        *("first_name", "username", "telegram_id", "role", "status", "language", "source"),
        *("total_messages", "last_activity_at", "created_at"),
    )
    column_labels = {  # noqa: RUF012
        "first_name": "Name",
        "telegram_id": "Telegram id",
        "total_messages": "Messages",
        "last_activity_at": "Last seen",
        "created_at": "Joined",
    }
    column_searchable_list = ("first_name",)
    column_sortable_list = (
        *("username", "telegram_id", "last_activity_at"),
        ("created_at", "id"),
    )
    column_formatters = {  # noqa: RUF012
        "first_name": row(person),
        "username": each(handle),
        "role": each(badge),
        "status": each(badge),
        "language": each(str),
        "source": each(text),
        "last_activity_at": each(moment),
        "created_at": each(moment),
    }
    narrowed_by: Sequence[Filter] = _filters()

    def __init__(self, panel: Panel) -> None:
        super().__init__(panel, User, name="Users", endpoint="users", url="/users")

    def match(self, term: str) -> Any:
        """By name, username or id."""
        return search.condition(term)

    def render(self, template: str, **given: Any) -> Any:
        """The exports take what the list is narrowed to."""
        if template == self.list_template:
            given["kept"] = self._kept()
        return super().render(template, **given)

    @action("ban", "Ban", "Ban the chosen people? The bot will not answer them any more.")
    def action_ban(self, ids: list[str]) -> Any:
        """Ban the chosen people for good."""
        reason = request.form.get("reason", "")
        return self._act(ids, "banned", lambda *who: care.ban(*who, reason=reason))

    @action("unban", "Unban", "End the bans of the chosen people?")
    def action_unban(self, ids: list[str]) -> Any:
        """End the bans of the chosen people."""
        return self._act(ids, "no longer banned", care.unban)

    @expose("/users.csv", methods=("POST",))
    @needs(StaffRole.ADMIN)
    def export_csv(self) -> Response:
        """The chosen people as CSV, written while it is sent."""
        people = self._chosen("csv")
        return Response(sheets.as_csv(people), headers=self._attached("csv"), mimetype="text/csv")

    @expose("/users.xlsx", methods=("POST",))
    @needs(StaffRole.ADMIN)
    def export_xlsx(self) -> Response:
        """The chosen people for Excel; the file has no name and is gone when it was sent."""
        people = self._chosen("xlsx")
        file = tempfile.TemporaryFile()  # noqa: SIM115 - closed when it was sent
        try:
            sheets.write_xlsx(people, file)
        except sheets.TooMany as error:
            file.close()
            abort(400, str(error))
        file.seek(0)
        response = send_file(file, mimetype=EXCEL)
        response.headers.update(self._attached("xlsx"))
        return response

    def _order(self, column: str | None, descending: bool) -> list[Any]:
        """Who is chosen by when they were seen is shown in that order, by the same index."""
        if column is None and self._kept().keys() & {
            "last_activity_at_from",
            "last_activity_at_to",
        }:
            return super()._order("last_activity_at", True)
        return super()._order(column, descending)

    def _act(self, ids: list[str], done: str, deed: Any) -> Any:
        """Do something to several people and say to how many."""
        people = [int(each) for each in ids if re.fullmatch(r"[0-9]{1,9}", each)]
        if len(people) != len(ids):
            abort(400, "Choose people by their boxes in the list.")
        if len(people) > FEW and (led := rights.ask_again()):
            return led
        try:
            count = deed(rights.actor(), people, rights.power())
        except care.Refused as refusal:
            flash(str(refusal), "error")
        else:
            flash(f"{count} {'person is' if count == 1 else 'people are'} {done}.", "success")
        return None

    def _chosen(self, kind: str) -> Any:
        """The people that the list is narrowed to; who takes them out is in the audit log.

        It tells which filters were set and not to what: that may be somebody's name.
        """
        given = self._get_list_extra_args()
        people = self.chosen(User.select(), given.search)
        said = {"format": kind, "narrowed_by": sorted(self._kept())}
        audit.record(rights.actor(), "users.export", "users", after=said)
        return people

    def _kept(self) -> dict[str, str]:
        """Search and filters of the address."""
        names = ["search", *(each.name for each in self.narrowed_by)]
        return {name: value for name in names if (value := request.args.get(name, "").strip())}

    def _attached(self, kind: str) -> dict[str, str]:
        name = f"users-{self.panel.clock():%Y-%m-%d}.{kind}"
        return {"Content-Disposition": f'attachment; filename="{name}"'}
