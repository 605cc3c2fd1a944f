"""Takeovers: the chats in which the bot is silent because somebody of the team answers there."""

from __future__ import annotations

from typing import Any

from peewee import JOIN

from database import db
from models import User
from services import audit
from services.audit import Actor
from services.messages import target
from staff import Admin, Takeover

EVERYWHERE = 0
"""The chat of a takeover that pauses a bot everywhere."""


class Taken(Exception):
    """Somebody else was quicker; one sentence that says who."""


class Takeovers:
    """The takeovers in memory; other processes make them, so they are read every second."""

    def __init__(self) -> None:
        self._taken: frozenset[tuple[int, int]] = frozenset()
        self.any = False
        """Whether there is one; asked for every update."""

    def refresh(self) -> bool:
        """Read the table; whether anything has changed."""
        rows = db.execute_sql("SELECT bot_id, chat_id FROM takeovers").fetchall()
        before, self._taken = self._taken, frozenset((bot, chat) for bot, chat in rows)
        self.any = bool(rows)
        return before != self._taken

    def silent(self, bot_id: int, chat_id: int) -> bool:
        """Whether the bot says nothing in a chat, by what was read last."""
        taken = self._taken
        return (bot_id, chat_id) in taken or (bot_id, EVERYWHERE) in taken

    def taken(self, bot_id: int, chat_id: int) -> bool:
        """Whether this very chat was taken over."""
        return (bot_id, chat_id) in self._taken


def take(actor: Actor, bot_id: int, chat_id: int, user: User | None = None) -> Takeover:
    """Make the bot silent in a chat, or EVERYWHERE. Every process follows in 2 s. Raises Taken.

    `user` is whose private chat it is.
    """
    with db.atomic():
        found = holder(bot_id, chat_id)
        if found is None:
            row = {"bot_id": bot_id, "chat_id": chat_id, "admin": actor.admin_id}
            made = Takeover.insert(row).on_conflict_ignore().returning(Takeover.id).execute()
            found = holder(bot_id, chat_id)
            if found and list(made):
                _record(actor, "take", found, user)
        if found is None or found.admin_id != actor.admin_id:
            raise Taken(f"{name_of(found) if found else 'Somebody else'} was quicker and has it.")
    return found


def hand_back(actor: Actor, bot_id: int, chat_id: int, user: User | None = None) -> bool:
    """Let the bot answer again; whether it was silent."""
    with db.atomic():
        found = holder(bot_id, chat_id)
        if found is None:
            return False
        Takeover.delete().where(Takeover.id == found.id).execute()
        _record(actor, "hand_back", found, user)
    return True


def holder(bot_id: int, chat_id: int) -> Takeover | None:
    """Who has taken a chat over, with their account; None: nobody."""
    here = (Takeover.bot_id == bot_id) & (Takeover.chat_id == chat_id)
    found: Takeover | None = _with_admins().where(here).first()
    return found


def paused() -> dict[int, Takeover]:
    """The bots that are silent everywhere, and who made them so."""
    rows = _with_admins().where(Takeover.chat_id == EVERYWHERE)
    return {row.bot_id: row for row in rows}


def name_of(takeover: Takeover) -> str:
    """Who has it, in words."""
    return takeover.admin.name if takeover.admin else "Somebody who has left the team"


def _with_admins() -> Any:
    return Takeover.select(Takeover, Admin).join(Admin, JOIN.LEFT_OUTER)


def _record(actor: Actor, did: str, takeover: Takeover, user: User | None) -> None:
    everywhere = takeover.chat_id == EVERYWHERE
    whom = f"bot:{takeover.bot_id}" if everywhere else target(takeover.chat_id, user)
    action = {"take": "bot.pause", "hand_back": "bot.resume"} if everywhere else {}
    state = {"bot_id": takeover.bot_id, "silent_for": name_of(takeover)}
    free = {"bot_id": takeover.bot_id, "silent_for": None}
    before, after = (free, state) if did == "take" else (state, free)
    audit.record(actor, action.get(did, f"chat.{did}"), whom, before, after)
