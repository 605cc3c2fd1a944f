"""An update that nobody sent: made up from a question about it, as Telegram would write it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NoReturn

from bot.inbox import Item
from models import Chat, Language, Role, Status, User
from services import users
from settings import Secret, Settings

ID = 0
"""The number of an update, a message and a query that there are not."""


class Silent(Exception):
    """Telegram was to be called, which an explanation does not do."""


class SilentWire:
    """A wire on which nothing is ever sent."""

    def exchange(self, token: Secret, method: str, *_rest: Any, **_more: Any) -> NoReturn:
        """Refuse a call."""
        del token
        raise Silent(f"{method} is not called for an explanation")

    def fetch(self, token: Secret, file_path: str, *_rest: Any, **_more: Any) -> NoReturn:
        """Refuse to get a file."""
        del token
        raise Silent(f"{file_path} is not fetched for an explanation")


@dataclass(frozen=True, slots=True)
class Question:
    """Who writes what to which bot and where: a text, or (`data`) what a tapped button carries.

    Ids are Telegram's; a private chat has the id of the person.
    """

    bot_id: int
    user_id: int
    chat_id: int
    text: str = ""
    data: str | None = None


def item_of(question: Question, settings: Settings, at: datetime) -> Item:
    """The update that is asked about, with its sender as the table has them."""
    user = _user(question.user_id, settings)
    sender = {"id": user.telegram_id, "is_bot": False, "first_name": user.first_name}
    if user.username:
        sender["username"] = user.username
    message = {
        "message_id": ID,
        "date": int(at.replace(tzinfo=UTC).timestamp()),
        "chat": _chat(question, user),
        "from": sender,
        "text": question.text,
    }
    kind, event = "message", message
    if question.data is not None:
        asked = {**message, "from": {"id": question.bot_id, "is_bot": True, "first_name": "bot"}}
        kind, event = "callback_query", {"id": str(ID), "from": sender, "chat_instance": "0"}
        event |= {"message": asked, "data": question.data}
    update = {"update_id": ID, kind: event}
    return Item(question.bot_id, ID, question.chat_id, kind, update, user=user)


def _user(telegram_id: int, settings: Settings) -> User:
    """The person, as the bot would have them after this update; one who is new has no row."""
    user = users.find(telegram_id)
    if user is None:
        user = User(
            telegram_id=telegram_id,
            first_name=str(telegram_id),
            language=Language(settings.default_language),
            status=Status.ACTIVE,
            role=Role.USER,
        )
    if telegram_id in settings.owner_ids:
        user.role = Role.OWNER
    return user


def _chat(question: Question, user: User) -> dict[str, Any]:
    if question.chat_id == question.user_id:
        return {"id": user.telegram_id, "type": "private", "first_name": user.first_name}
    known = Chat.get_or_none(Chat.bot_id == question.bot_id, Chat.telegram_id == question.chat_id)
    kind, title = (known.kind, known.title) if known else ("supergroup", str(question.chat_id))
    return {"id": question.chat_id, "type": kind, "title": title}
