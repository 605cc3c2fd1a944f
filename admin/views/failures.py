"""The failures: what handlers raised, in groups, with the update; tried again or dismissed."""

from __future__ import annotations

import json
from typing import Any

from flask import abort, flash, jsonify, redirect, request
from flask_admin import expose
from werkzeug.wrappers import Response

from admin.auth.rights import actor, needs
from admin.panel import Panel
from admin.views.ask import SERIAL, field_number, row_of
from admin.views.page import Page
from models import Chat, Failure, User
from services import groups
from staff import StaffRole

GROUPS = 25
MEMBERS = 20
DONE = {"replay": "replayed", "dismiss": "dismissed"}
REFUSED = {
    "replay": "It was not replayed: it is closed already, its update is gone, or it waits already.",
    "dismiss": "It was not dismissed: it is closed already.",
}


class Failures(Page):
    """See what went wrong, and have it handled once more after it was mended."""

    read = StaffRole.VIEWER

    def __init__(self, panel: Panel) -> None:
        super().__init__(
            panel, name="Failures", category="Bot", endpoint="failures", url="/failures"
        )

    @expose("/")
    def index(self) -> Any:
        """The groups: those with open failures, or all."""
        everything, plugin = "all" in request.args, request.args.get("plugin", "")
        if "\0" in plugin:
            abort(400, "No plugin has such a name.")
        ids = groups.newest(only_open=not everything, plugin=plugin or None)
        page = min(field_number("page", default=0), groups.MOST // GROUPS)
        return self.render(
            "failures/list.html",
            groups=groups.about(ids[page * GROUPS : (page + 1) * GROUPS]),
            more=len(ids) > (page + 1) * GROUPS,
            full=len(ids) >= groups.MOST,
            everything=everything,
            plugin=plugin,
            page=page,
            plugins=sorted(self.panel.registry.paths),
            counted=groups.LISTED,
        )

    @expose("/group/<fingerprint>")
    def group(self, fingerprint: str) -> Any:
        """One group: its newest open failure whole, and a list of all."""
        found = _group(fingerprint)
        before = field_number("before", default=SERIAL)
        members = groups.members(fingerprint, before=before, size=MEMBERS)
        return self._show(
            "failures/group.html",
            found.last,
            group=found,
            members=members,
            more=len(members) == MEMBERS,
            counted=groups.COUNTED,
        )

    @expose("/<int:number>")
    def one(self, number: int) -> Any:
        """One failure."""
        return self._show("failures/one.html", _failure(number))

    @expose("/<int:number>/<act>", methods=["POST"])
    @needs(StaffRole.OPERATOR)
    def act(self, number: int, act: str) -> Response:
        """Replay one failure, or dismiss it."""
        _check(act)
        failure = _failure(number)
        if groups.act_on(actor(), act, failure.id):
            flash(f"The failure {failure.id} is {DONE[act]}.", "success")
        else:
            flash(REFUSED[act], "error")
        return redirect(self.get_url(".group", fingerprint=failure.fingerprint))

    @expose("/group/<fingerprint>/<act>", methods=["POST"])
    @needs(StaffRole.OPERATOR, fresh=True)
    def act_on_all(self, fingerprint: str, act: str) -> Any:
        """Replay or dismiss the next batch of a group; for each one more the page asks again.

        `last` bounds it to what was open at its beginning: what is replayed may fail again.
        """
        _check(act)
        _group(fingerprint)
        last = field_number("last", default=0) or groups.newest_open(fingerprint)
        after = field_number("after", default=0)
        of = field_number("of", default=0) or groups.left(fingerprint, *_bounds(after, last))
        step = groups.step(actor(), act, fingerprint, *_bounds(after, last))
        state: dict[str, Any] = {
            "done": field_number("done", default=0) + step.done,
            "skipped": field_number("skipped", default=0) + step.skipped,
            "after": step.after,
            "last": last,
            "of": of,
        }
        state["left"] = max(0, of - state["done"] - state["skipped"]) if step.after else 0
        if request.accept_mimetypes.best == "application/json":
            return jsonify(state)
        return self.render("failures/progress.html", act=act, fingerprint=fingerprint, **state)

    def _show(self, template: str, failure: Failure, **given: Any) -> Any:
        """A page with a failure on it, whole: with its update, and whom it happened to."""
        user = User.get_or_none(User.telegram_id == failure.user_id) if failure.user_id else None
        here = Chat.bot_id == failure.bot_id, Chat.telegram_id == failure.chat_id
        return self.render(
            template,
            failure=failure,
            update=pretty(failure.payload),
            user=user,
            chat=Chat.get_or_none(*here) if failure.chat_id else None,
            **given,
        )


def pretty(payload: str | None) -> str:
    """An update as it is read best; as it is, when it is no JSON."""
    if not payload:
        return ""
    try:
        return json.dumps(json.loads(payload), ensure_ascii=False, indent=2)
    except (ValueError, RecursionError):
        return payload


def _check(act: str) -> None:
    if act not in groups.ACTS:
        abort(404, "A failure can be replayed or dismissed.")


def _failure(row: int) -> Failure:
    return row_of(Failure, row, "There is no such failure.")


def _group(fingerprint: str) -> groups.Group:
    found = None if "\0" in fingerprint else groups.find(fingerprint)
    if found is None:
        abort(404, "There are no such failures.")
    return found


def _bounds(after: int, last: int) -> tuple[int, int]:
    return min(after, SERIAL), min(last, SERIAL)
