"""The chats: groups and channels that the bots are in, their rights and the plugins there."""

from __future__ import annotations

from typing import Any, NamedTuple

from flask import abort, flash, redirect, request, url_for
from flask_admin import expose
from markupsafe import Markup
from werkzeug.wrappers import Response

from admin.auth.rights import actor, needs
from admin.line import Line, Silent
from admin.panel import Panel
from admin.views.ask import LARGEST, row_of, word
from admin.views.narrow import OneOf
from admin.views.shown import badge, each, moment, row
from admin.views.table import Table
from database import db, now
from models import Chat
from services import audit, switching
from services.chats import MEMBERSHIPS
from staff import StaffRole

KINDS = ("group", "supergroup", "channel")
OUT = ("left", "kicked")


def _title(chat: Chat) -> Markup:
    address = url_for("chats.one", number=chat.id)
    return Markup('<a href="%s">%s</a>') % (address, chat.title or chat.telegram_id)


class Rights(NamedTuple):
    """What Telegram says that the bot may do in a chat, or why it said nothing."""

    status: str = ""
    may: tuple[str, ...] = ()
    may_not: tuple[str, ...] = ()
    silent: str = ""


class Chats(Table):
    """Find a chat, and look after the bot in it."""

    read = StaffRole.VIEWER
    column_list = ("title", "kind", "username", "membership", "telegram_id", "updated_at")
    column_labels = {"telegram_id": "Id", "updated_at": "Changed", "membership": "The bot is"}  # noqa: RUF012
    column_sortable_list = ()
    column_searchable_list = ("title", "username")
    narrowed_by = (
        OneOf("kind", "Kind", Chat.kind, tuple((each, each) for each in KINDS)),
        OneOf("membership", "The bot is", Chat.membership, tuple((m, m) for m in MEMBERSHIPS)),
    )
    looked_for = "Title, username or id"
    empty = "The bot is in no group or channel yet: add it to one as a member."
    column_formatters = {  # noqa: RUF012
        "title": row(_title),
        "membership": each(badge),
        "updated_at": each(moment),
    }

    def __init__(self, panel: Panel, line: Line | None = None) -> None:
        super().__init__(panel, Chat, name="Chats", category="Bot", endpoint="chats", url="/chats")
        self.line = line or Line(panel.settings, panel.wire)

    def match(self, term: str) -> Any:
        """In title or username; a number is an id as well."""
        found = super().match(term.removeprefix("@"))
        digits = term.removeprefix("-")
        if digits.isascii() and digits.isdigit() and int(digits) <= LARGEST:
            found |= Chat.telegram_id == int(term)
        return found

    @expose("/<int:number>")
    @needs(StaffRole.VIEWER)
    def one(self, number: int) -> Any:
        """One chat with its plugins; when asked for, with what the bot may do there."""
        chat = _chat(number)
        switches = self.panel.switches
        switches.refresh()
        names = sorted(self.panel.registry.paths)
        return self.render(
            "chats/one.html",
            chat=chat,
            out=chat.membership in OUT,
            plugins=[(n, switches.on(n), n in switches.off_in(chat.telegram_id)) for n in names],
            rights=self._rights(chat) if "rights" in request.args else None,
        )

    @expose("/<int:number>/switch", methods=["POST"])
    @needs(StaffRole.ADMIN)
    def switch(self, number: int) -> Response:
        """Switch a plugin on or off in the chat."""
        chat = _chat(number)
        name, on = request.form.get("plugin", ""), word("on", "0", "1") == "1"
        if name not in self.panel.registry.paths:
            abort(404, "There is no such plugin.")
        switching.switch(actor(), self.panel.switches, name, on, chat.telegram_id)
        flash(f"{name} is {'on' if on else 'off'} here.", "success")
        return redirect(self.get_url(".one", number=number))

    @expose("/<int:number>/leave", methods=["POST"])
    @needs(StaffRole.ADMIN)
    def leave(self, number: int) -> Response:
        """Have the bot leave the chat: noted before, and once more when it could not."""
        chat = _chat(number)
        audit.record(actor(), "chat.leave", f"chat:{chat.id}", {"membership": chat.membership})
        try:
            self.line.call(chat.bot_id, "leaveChat", chat_id=chat.telegram_id)
        except Silent as silent:
            said = {"said": str(silent)}
            audit.record(actor(), "chat.leave_failed", f"chat:{chat.id}", after=said)
            flash(str(silent), "error")
        else:
            with db.atomic():
                left = {"membership": "left", "updated_at": now()}
                Chat.update(left).where(Chat.id == chat.id).execute()
            flash("The bot has left. Somebody there can add it again.", "success")
        return redirect(self.get_url(".one", number=number))

    def _rights(self, chat: Chat) -> Rights:
        where = {"chat_id": chat.telegram_id, "user_id": chat.bot_id}
        try:
            member = self.line.call(chat.bot_id, "getChatMember", **where)
        except Silent as silent:
            return Rights(silent=str(silent))
        may = {
            key.removeprefix("can_").replace("_", " "): bool(value)
            for key, value in sorted(member.items())
            if key.startswith("can_") and key != "can_be_edited"
        }
        granted = tuple(key for key, value in may.items() if value)
        return Rights(
            str(member.get("status") or ""),
            granted,
            tuple(key for key in may if key not in granted),
        )


def _chat(number: int) -> Chat:
    return row_of(Chat, number, "There is no such chat.")
