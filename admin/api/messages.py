"""Messages in the API: one is sent to a person, and what became of it."""

from __future__ import annotations

from typing import Any

from flask import abort
from marshmallow import fields

from admin.api.fields import Asked, Moment, Text, Told, Whole
from admin.api.routes import Routes
from admin.api.users import NOBODY
from admin.auth import rights
from models import Bot, User
from services import messages
from services.scopes import Scope
from staff import Message

routes = Routes("Messages", "What the team writes to people.")

STATES = ["received", "queued", "sending", "sent", "failed", "unknown"]


class MessageOut(Told):
    """A message to a person; `state` goes from queued over sending to sent, failed or unknown."""

    id = Whole()
    user_id = Whole(allow_none=True)
    bot_id = Whole()
    state = fields.String(metadata={"enum": STATES})
    error = fields.String(allow_none=True)
    created_at = Moment()
    updated_at = Moment()


class MessageAsked(Asked):
    """To whom, and what. Without a `bot_id` the only bot sends it."""

    user_id = Whole(1, required=True)
    text = Text(messages.SIZE, shortest=1, required=True)
    bot_id = Whole(1)


@routes.operation(
    "POST",
    "/messages",
    Scope.MESSAGES_WRITE,
    MessageOut,
    body=MessageAsked,
    status=202,
    problems=(404, 409),
)
def send_message(asked: dict[str, Any]) -> Message:
    """Send a text to a person.

    It is queued, and sent within about a second: ask for the message to see what became of it.
    """
    user: User = User.get_or_none(User.id == asked["user_id"]) or abort(404, NOBODY)
    who = rights.actor()
    try:
        return messages.send(
            bot_id=_bot(asked.get("bot_id")),
            chat_id=user.telegram_id,
            text=asked["text"],
            user=user,
            admin_id=who.admin_id,
            actor=who,
        )
    except messages.Unsendable as error:
        abort(409, str(error))


@routes.operation("GET", "/messages/<key:message_id>", Scope.MESSAGES_READ, MessageOut)
def get_message(message_id: int) -> Message:
    """Get what became of a message."""
    found: Message | None = Message.get_or_none(Message.id == message_id)
    return found or abort(404, "There is no message with this id.")


def _bot(given: int | None) -> int:
    """The bot that is to send; one must be named when there are several."""
    bots = [bot.id for bot in Bot.select(Bot.id).limit(100)]
    if given is None and len(bots) == 1:
        return int(bots[0])
    if given is None:
        abort(409, "There are several bots, or none: name one by its bot_id.")
    return given if given in bots else abort(404, "There is no bot with this id.")
