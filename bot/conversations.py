"""Who is being asked something: the open conversations, in memory and in the database."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeAlias

from database import db, now
from models import Conversation
from services.traces import Person, scrub

Key: TypeAlias = tuple[int, int, int]
"""Bot, chat and Telegram id of the person."""


@dataclass(frozen=True, slots=True)
class Open:
    """A question that was put: the step that takes the answer, what it knows, until when."""

    step: str
    data: dict[str, Any]
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Change:
    """A conversation that begins or goes on (`opened`), or ends (None)."""

    key: Key
    opened: Open | None


class Conversations:
    """The keys of all open conversations in memory; the rest of one is read when it is needed.

    Memory runs ahead of the table by the updates whose done marks are not committed yet: a change
    is committed with the done mark of its update, so a crash takes both back together.
    """

    def __init__(self, *, clock: Callable[[], datetime] = now) -> None:
        self.clock = clock
        self._open: dict[Key, Open | None] = {}

    def load(self, bot_id: int) -> None:
        """Read which conversations of a bot are open."""
        sql = "SELECT chat_id, user_id FROM conversations WHERE bot_id = ?"
        for chat_id, user_id in db.execute_sql(sql.replace("?", db.param), (bot_id,)).fetchall():
            self._open.setdefault((bot_id, chat_id, user_id), None)

    def get(self, key: Key) -> Open | None:
        """The open conversation of a person in a chat, or None; an expired one is none."""
        if key not in self._open:
            return None
        opened = self._open[key] or _read(key)
        if opened is None or opened.expires_at <= self.clock():
            self._open.pop(key, None)
            return None
        return opened

    def expect(self, key: Key) -> None:
        """Look into the table for a person in a chat, whom `load` was not told of."""
        self._open.setdefault(key, None)

    def keep(self, change: Change) -> None:
        """Take a change into memory; the ledger writes it."""
        if change.opened is None:
            self._open.pop(change.key, None)
        else:
            self._open[change.key] = change.opened

    def sweep(self) -> None:
        """Let go of what has expired; what was never read is read once and then known."""
        at = self.clock()
        for key, opened in list(self._open.items()):
            if opened is not None and opened.expires_at <= at and self._open.get(key) is opened:
                self._open.pop(key, None)

    def ids(self) -> list[int]:
        """The Telegram ids of those who are being asked something."""
        return [user_id for _, _, user_id in list(self._open)]

    def forget(self, person: Person) -> None:
        """Let go of a person's conversations and those in their chat, and of traces in others'."""
        for key, opened in list(self._open.items()):
            if person.telegram_id in key[1:]:
                self._open.pop(key, None)
            elif opened and (data := scrub(person, opened.data)) != opened.data:
                self._open[key] = replace(opened, data=data)

    def doubt(self, telegram_ids: Collection[int]) -> None:
        """Read these people's conversations anew when they are needed: the team may end them."""
        for key in list(self._open):
            if key[2] in telegram_ids:
                self._open[key] = None

    def move(self, bot_id: int, old: int, new: int) -> None:
        """Follow a group that became a supergroup."""
        for key in [key for key in list(self._open) if key[:2] == (bot_id, old)]:
            self._open[(bot_id, new, key[2])] = self._open.pop(key)


def write(changes: Sequence[Change], at: datetime) -> None:
    """Write changes in the caller's transaction; of several for one key the last counts."""
    for change in {change.key: change for change in changes}.values():
        bot_id, chat_id, user_id = change.key
        if change.opened is None:
            Conversation.delete().where(_is(change.key)).execute()
            continue
        row = {
            "step": change.opened.step,
            "data": change.opened.data,
            "expires_at": change.opened.expires_at,
            "updated_at": at,
        }
        Conversation.insert(bot_id=bot_id, chat_id=chat_id, user_id=user_id, **row).on_conflict(
            conflict_target=[Conversation.bot_id, Conversation.chat_id, Conversation.user_id],
            preserve=[getattr(Conversation, name) for name in row],
        ).execute()


def forget(at: datetime) -> int:
    """Delete what has expired; give the number."""
    return int(Conversation.delete().where(Conversation.expires_at <= at).execute())


def _read(key: Key) -> Open | None:
    row = Conversation.get_or_none(_is(key))
    return Open(row.step, row.data, row.expires_at) if row else None


def _is(key: Key) -> Any:
    return (
        (Conversation.bot_id == key[0])
        & (Conversation.chat_id == key[1])
        & (Conversation.user_id == key[2])
    )
