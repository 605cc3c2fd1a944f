"""Messages of the team to people: queued here, sent by the bot."""

from __future__ import annotations

from database import db
from models import User
from services import audit
from services.audit import Actor
from staff import Message

SIZE = 4096
"""UTF-16 units of a message's text at Telegram."""


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
    """Have a text sent by a bot to a chat. Raises Unsendable."""
    if not text.strip():
        raise Unsendable("There is nothing to send: write something first.")
    if len(text.encode("utf-16-le")) // 2 > SIZE:
        raise Unsendable(f"Telegram takes {SIZE} characters: send it in parts.")
    with db.atomic():
        message: Message = Message.create(
            bot_id=bot_id, chat_id=chat_id, text=text, user=user, admin=admin_id, state="queued"
        )
        if actor:
            about = {"message": message.id, "bot_id": bot_id}
            target = f"user:{user.id}" if user else f"chat:{chat_id}"
            audit.record(actor, "message.send", target, after=about)
    return message
