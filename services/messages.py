"""Messages between people and the team: what they wrote, and what is answered from the panel."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from peewee import JOIN

from database import db, now
from models import User
from services import audit
from services.audit import Actor
from staff import Admin, Message

SIZE = 4096
"""UTF-16 units of a message's text at Telegram."""
LONGEST = 10_000
"""Letters that are kept of what a person wrote: a caption, and a file's name before it."""
NUMBERS = 2**31
"""Telegram's numbers of messages are below it."""


class State(StrEnum):
    """Where a message is: from a person, or on its way to one."""

    RECEIVED = "received"
    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    UNKNOWN = "unknown"


OPEN = (State.QUEUED.value, State.SENDING.value)
STUCK = (State.FAILED.value, State.UNKNOWN.value)


class Received(NamedTuple):
    """What a person wrote to the team."""

    bot_id: int
    chat_id: int
    user_id: int | None
    kind: str
    text: str
    message_id: int | None = None


class Unsendable(ValueError):
    """A text that Telegram would not take; one sentence that says why."""


def send(
    *,
    bot_id: int,
    chat_id: int,
    text: str,
    user: User | None,
    admin_id: int | None,
    actor: Actor | None = None,
) -> Message:
    """Have a text sent by a bot to a chat, in order and within about a second.

    `user` is whose private chat it is. With an `actor` it is written to the audit log, without the
    text. Raises Unsendable.
    """
    text = clean(text).replace("\r\n", "\n").strip()
    if not text:
        raise Unsendable("There is nothing to send: write something first.")
    if (size := len(text.encode("utf-16-le")) // 2) > SIZE:
        raise Unsendable(
            f"The message has {size:,} characters and Telegram takes {SIZE:,}:"
            " shorten it, or send it in parts."
        )
    with db.atomic():
        message: Message = Message.create(
            bot_id=bot_id,
            chat_id=chat_id,
            user=user.id if user else None,
            admin=admin_id,
            state=State.QUEUED.value,
            text=text,
        )
        if actor:
            about = {"message": message.id, "bot_id": bot_id}
            audit.record(actor, "message.send", target(chat_id, user), after=about)
    return message


def send_again(message: Message, actor: Actor) -> bool:
    """Queue a message once more that failed, or of which nobody knows; False for any other."""
    with db.atomic():
        stuck = (Message.id == message.id) & Message.state.in_(STUCK)
        queued = {"state": State.QUEUED.value, "error": None, "updated_at": now()}
        if not Message.update(queued).where(stuck).execute():
            return False
        about = {"message": message.id, "bot_id": message.bot_id}
        audit.record(actor, "message.again", target(message.chat_id, message.user), after=about)
    return True


def receive(letters: Sequence[Received], at: datetime) -> None:
    """Keep what people wrote to the team, in the caller's transaction."""
    if letters:
        row = {"state": State.RECEIVED.value, "created_at": at, "updated_at": at}
        Message.insert_many(
            [
                row
                | {
                    "bot_id": letter.bot_id,
                    "chat_id": letter.chat_id,
                    "user": letter.user_id,
                    "kind": letter.kind[:16],
                    "text": letter.text,
                    "message_id": letter.message_id,
                }
                for letter in letters
            ]
        ).execute()


def thread(
    bot_id: int,
    chat_id: int,
    after_id: int = 0,
    *,
    before_id: int | None = None,
    limit: int = 50,
) -> list[Message]:
    """The messages of a chat, oldest first, with who wrote them.

    The first ones after an id, or the last ones there are, or before an id.
    """
    found = _with_names().where(Message.bot_id == bot_id, Message.chat_id == chat_id)
    if after_id:
        return list(found.where(Message.id > after_id).order_by(Message.id).limit(limit))
    if before_id is not None:
        found = found.where(Message.id < before_id)
    return list(found.order_by(Message.id.desc()).limit(limit))[::-1]


def pick(bot_id: int, chat_id: int, ids: Collection[int]) -> list[Message]:
    """Some messages of a chat, as they are now."""
    if not ids:
        return []
    here = (Message.bot_id == bot_id) & (Message.chat_id == chat_id)
    return list(_with_names().where(here & Message.id.in_(list(ids))).order_by(Message.id))


def mark_read(bot_id: int, chat_id: int, up_to: int) -> int:
    """Note that the team has read what a chat wrote, up to a message; give how many were new."""
    here = (Message.bot_id == bot_id) & (Message.chat_id == chat_id) & (Message.id <= up_to)
    new = (Message.state == State.RECEIVED.value) & Message.read_at.is_null()
    return int(Message.update(read_at=now()).where(here & new).execute())


def clean(text: str) -> str:
    """A text that every database can hold: no NUL, no half of a surrogate pair."""
    return text.encode("utf-8", "replace").decode().replace("\0", "")


def target(chat_id: int, user: User | None) -> str:
    """What the audit log calls a chat: a person by their row's id."""
    return audit.person(user.id) if user else f"chat:{chat_id}"


def _with_names() -> Any:
    joined = Message.select(Message, Admin, User).join(Admin, JOIN.LEFT_OUTER)
    return joined.switch(Message).join(User, JOIN.LEFT_OUTER)
