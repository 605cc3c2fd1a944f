"""The audit page: who did what, whether the log is whole, and taking deeds back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, NamedTuple

from flask import Response, abort, flash, jsonify, redirect, request, url_for
from flask_admin import expose
from werkzeug.wrappers import Response as Answer

from admin.auth.rights import actor, needs, power
from admin.panel import Panel
from admin.views.ask import SERIAL, field_number
from admin.views.page import Page
from bot.plugin import Plugin, Setting
from services import audit, reverts, trail
from staff import AuditEntry, StaffRole

FILTERS = ("admin", "action", "target", "day", "q")


class Change(NamedTuple):
    """One field of an entry; None where the entry does not tell."""

    name: str
    before: str | None
    after: str | None


class Audit(Page):
    """What the team did."""

    read = StaffRole.ADMIN

    def __init__(self, panel: Panel) -> None:
        super().__init__(panel, name="Audit", category="Team", endpoint="audit", url="/audit")

    @expose("/")
    def index(self) -> str:
        """Entries, newest first."""
        found = trail.page(wanted())
        chosen: dict[str, Any] = {
            name: request.args[name] for name in FILTERS if request.args.get(name)
        }
        done = reverts.reverted([each for each in found.entries if not reverts.hindrance(each)])
        page: str = self.render(
            "audit.html",
            entries=found.entries,
            older=found.older and url_for(".index", **chosen, before=found.older),
            changes=changes,
            hindrance=reverts.hindrance,
            done=done,
            chosen=chosen,
            actions=trail.actions(),
            people=trail.people(),
            window=trail.WINDOW,
        )
        return page

    @expose("/verify")
    def verify(self) -> Response:
        """Verify some of the log, from an entry on; the page asks on until it is over."""
        part = audit.verify_part(field_number("after", default=0))
        return jsonify(part._asdict())

    @expose("/<int:entry_id>/revert", methods=["POST"])
    @needs(StaffRole.ADMIN, fresh=True)
    def revert(self, entry_id: int) -> Answer:
        """Take back what an entry tells of."""
        if entry_id >= trail.NEWEST:
            abort(404)
        try:
            entry = reverts.revert(actor(), power(), entry_id, declare=self._declared)
            flash(f"Taken back, by the entry {entry.id}.", "success")
        except reverts.Refused as error:
            flash(str(error), "error")
        self.panel.switches.refresh()
        self.panel.preferences.refresh()
        return redirect(url_for(".index"))

    def _declared(self, plugin: str, key: str) -> Setting[Any] | None:
        """A setting as its plugin declares it."""
        found: Plugin | None = self.panel.registry.plugins.get(plugin)
        return found.settings.get(key) if found else None


def wanted() -> trail.Wanted:
    """What the address asks for."""
    said = {name: request.args.get(name, "").strip() for name in FILTERS}
    if any("\0" in text for text in said.values()):
        abort(400, "A filter holds a character that no entry can have.")
    return trail.Wanted(
        admin_id=field_number("admin", high=SERIAL) if said["admin"] else None,
        action=said["action"],
        target=said["target"],
        day=_day(said["day"]) if said["day"] else None,
        words=said["q"][:200],
        before=field_number("before", default=trail.NEWEST),
    )


def _day(said: str) -> date:
    try:
        day = date.fromisoformat(said)
    except ValueError:
        abort(400, "A day is written as 2026-01-31.")
    if not 1970 <= day.year < 9999:
        abort(400, "There is no entry of this day.")
    return day


def changes(entry: AuditEntry) -> Iterator[Change]:
    """What an entry says that was changed, a field at a time."""
    before, after = _fields(entry.before), _fields(entry.after)
    for name in [*before, *(name for name in after if name not in before)]:
        yield Change(name, _text(before, name), _text(after, name))


def _fields(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(fields: Mapping[str, Any], name: str) -> str | None:
    if name not in fields:
        return None
    value = fields[name]
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "–" if value is None or value == "" else str(value)
