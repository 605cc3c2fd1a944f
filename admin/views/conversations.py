"""Conversations: what people write to the team, the answers, and who has taken a chat over."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from flask import abort, flash, jsonify, redirect, request, url_for
from flask_admin import expose
from werkzeug.wrappers import Response

from admin.auth.rights import actor, needs, visitor
from admin.panel import Panel
from admin.views.bubbles import bubble, row
from admin.views.page import Page
from database import db
from models import Bot
from services import messages, takeovers, threads
from services.messages import Unsendable
from services.takeovers import EVERYWHERE, Taken
from services.threads import Place
from staff import Message, StaffRole

BUBBLES = 50
WATCHED = 100
"""How many messages on their way a page may ask about."""


class Conversations(Page):
    """The inbox of the team."""

    read = StaffRole.VIEWER

    def __init__(self, panel: Panel) -> None:
        super().__init__(
            panel, name="Conversations", endpoint="conversations", url="/conversations"
        )

    @expose("/")
    def index(self) -> Any:
        """The threads."""
        return self._show(None)

    @expose("/<int:bot_id>/<int(signed=True):chat_id>")
    def thread(self, bot_id: int, chat_id: int) -> Any:
        """One thread beside the others; of a person who has not written yet, too."""
        return self._show(place(bot_id, chat_id))

    @expose("/to/<int:user_id>")
    def to(self, user_id: int) -> Response:
        """Lead to the thread of a person, by the id of their row."""
        found = threads.place_of(user_id)
        if found is None:
            abort(404, "There is no such person, or no bot has started yet.")
        return redirect(address(found))

    @expose("/news")
    def news(self) -> Any:
        """What is new for a page that is open: its threads, its messages, who took it over."""
        rows, _ = listing()
        seen = digest(rows)
        told: dict[str, Any] = {"seen": seen, "messages": [], "changed": []}
        if seen != request.args.get("seen"):
            told["threads"] = rows
        if request.args.get("chat"):
            here = place(number("bot"), number("chat"))
            told |= news_of(here)
        return jsonify(told)

    @expose("/<int:bot_id>/<int(signed=True):chat_id>/send", methods=["POST"])
    @needs(StaffRole.OPERATOR)
    def send(self, bot_id: int, chat_id: int) -> Any:
        """Write to a chat; what was read before the answer counts as read."""
        here, text = place(bot_id, chat_id), request.form.get("text", "")
        try:
            with db.atomic():
                message = messages.send(
                    bot_id=bot_id,
                    chat_id=chat_id,
                    text=text,
                    user=here.user,
                    admin_id=actor().admin_id,
                    actor=actor(),
                )
                messages.mark_read(bot_id, chat_id, message.id)
        except Unsendable as error:
            if wants_json():
                return jsonify(said=str(error)), 400
            return self._show(here, said=str(error), draft=text), 400
        if wants_json():
            return jsonify(message=bubble(message))
        return redirect(address(here))

    @expose("/<int:bot_id>/<int(signed=True):chat_id>/again", methods=["POST"])
    @needs(StaffRole.OPERATOR)
    def again(self, bot_id: int, chat_id: int) -> Any:
        """Send a message once more that did not arrive, or perhaps not."""
        here = place(bot_id, chat_id)
        for message in messages.pick(bot_id, chat_id, [number("message", request.form)]):
            messages.send_again(message, actor())
        return redirect(address(here))

    @expose("/<int:bot_id>/<int(signed=True):chat_id>/read", methods=["POST"])
    @needs(StaffRole.OPERATOR)
    def mark_read(self, bot_id: int, chat_id: int) -> Any:
        """Note what was read, up to a message."""
        here = place(bot_id, chat_id)
        messages.mark_read(bot_id, chat_id, number("message", request.form))
        return ("", 204) if wants_json() else redirect(address(here))

    @expose("/<int:bot_id>/<int(signed=True):chat_id>/take", methods=["POST"])
    @needs(StaffRole.OPERATOR)
    def take(self, bot_id: int, chat_id: int) -> Response:
        """Make the bot silent in a chat."""
        here = place(bot_id, chat_id)
        try:
            takeovers.take(actor(), bot_id, chat_id, here.user)
        except Taken as error:
            flash(str(error), "error")
        return redirect(address(here))

    @expose("/<int:bot_id>/<int(signed=True):chat_id>/hand-back", methods=["POST"])
    @needs(StaffRole.OPERATOR)
    def hand_back(self, bot_id: int, chat_id: int) -> Response:
        """Let the bot answer there again."""
        here = place(bot_id, chat_id)
        takeovers.hand_back(actor(), bot_id, chat_id, here.user)
        return redirect(address(here))

    @expose("/<int:bot_id>/pause", methods=["POST"])
    @needs(StaffRole.ADMIN)
    def pause(self, bot_id: int) -> Response:
        """Make a bot silent everywhere."""
        try:
            takeovers.take(actor(), known_bot(bot_id), EVERYWHERE)
        except Taken as error:
            flash(str(error), "error")
        return redirect(url_for("conversations.index"))

    @expose("/<int:bot_id>/resume", methods=["POST"])
    @needs(StaffRole.ADMIN)
    def resume(self, bot_id: int) -> Response:
        """Let a bot speak again."""
        takeovers.hand_back(actor(), known_bot(bot_id), EVERYWHERE)
        return redirect(url_for("conversations.index"))

    def _show(self, here: Place | None, *, said: str = "", draft: str = "") -> str:
        rows, older = listing()
        paused = takeovers.paused()
        words, shown, before = asked()
        page: str = self.render(
            "conversations/page.html",
            rows=rows,
            older=older,
            seen=digest(rows),
            words=words,
            shown=shown,
            is_first=before == threads.TOP,
            here_url=address(here) if here else "",
            bots=[(bot, paused.get(bot.id)) for bot in Bot.select().order_by(Bot.id)],
            taker=takeovers.name_of,
            here=here,
            is_paused=here is not None and here.bot.id in paused,
            said=said,
            draft=draft,
            **(thread_of(here) if here else {}),
        )
        return page


def thread_of(here: Place) -> dict[str, Any]:
    """What the page shows of an open thread: the newest messages, or those before one."""
    key, before = (here.bot.id, here.chat_id), number("earlier", default=0)
    found = messages.thread(*key, before_id=before or None, limit=BUBBLES)
    first = found[0].id if len(found) == BUBBLES else None
    who = visitor()
    taken = takeovers.holder(*key)
    return {
        "bubbles": [bubble(message) for message in found],
        "earlier": first,
        "is_newest": not before,
        "taken": taken,
        "mine": bool(taken and who and taken.admin_id == who.admin.id),
        "unread": any(is_new(message) for message in found),
    }


def news_of(here: Place) -> dict[str, Any]:
    """What is new in an open thread: messages after one, and what became of those on their way."""
    key = (here.bot.id, here.chat_id)
    watched = [int(each) for each in request.args.get("open", "").split(",") if is_number(each)]
    new = messages.thread(*key, number("after", default=0), limit=BUBBLES)
    changed = messages.pick(*key, watched[:WATCHED])
    taken = takeovers.holder(*key)
    return {
        "messages": [bubble(message) for message in new],
        "changed": [bubble(message) for message in changed],
        "taken": takeovers.name_of(taken) if taken else "",
    }


def listing() -> tuple[list[dict[str, Any]], int | None]:
    """The threads that are asked for, and where the next page of them begins."""
    words, shown, before = asked()
    found = threads.newest(before=before, words=words, shown=shown)
    return [row(thread) for thread in found.threads], found.older


def asked() -> tuple[str, str, int]:
    """The search, the filter and the page that are asked for."""
    words = messages.clean(request.args.get("q", ""))[:64].strip()
    shown = request.args.get("show", "all")
    return words, shown if shown in threads.SHOWN else "all", number("before", default=threads.TOP)


def place(bot_id: int, chat_id: int) -> Place:
    """The chat of a route, or 404."""
    found = threads.place(bot_id, chat_id)
    if found is None:
        abort(404, "This bot knows no such chat: people and groups must have met it first.")
    return found


def known_bot(bot_id: int) -> int:
    """The bot of a route, or 404."""
    if bot_id > threads.TOP or not Bot.select().where(Bot.id == bot_id).exists():
        abort(404, "There is no such bot.")
    return bot_id


def address(here: Place) -> str:
    """Where a thread is."""
    return url_for("conversations.thread", bot_id=here.bot.id, chat_id=here.chat_id)


def number(name: str, given: Any = None, *, default: int | None = None) -> int:
    """A number of the request that a column can hold, or 400."""
    text = (request.args if given is None else given).get(name, "")
    if not text and default is not None:
        return default
    if not is_number(text):
        abort(400, f"{name} must be a number.")
    return int(text)


def is_number(text: str) -> bool:
    """Whether a text is a number that a column can hold."""
    return text.removeprefix("-").isdecimal() and len(text) < 19


def is_new(message: Message) -> bool:
    """Whether nobody of the team has read it."""
    return message.state == messages.State.RECEIVED and message.read_at is None


def wants_json() -> bool:
    """Whether a script asks, and not the browser for a page."""
    return request.accept_mimetypes.best == "application/json"


def digest(rows: list[dict[str, Any]]) -> str:
    """A word that changes when the list does."""
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16]
