"""The team's messages on their way: queued, being sent, and what came of it."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache

from peewee import JOIN

from database import db, now
from models import User
from services.messages import State
from staff import Message


def waiting(bot_ids: Collection[int], *, limit: int = 100) -> list[Message]:
    """Each chat's oldest message that some bots are to send, or were sending, with the person."""
    bots = sorted(bot_ids)
    rows = db.execute_sql(_waiting_sql(len(bots), db.param), [*bots, limit]).fetchall()
    if not rows:
        return []
    found = Message.select(Message, User).join(User, JOIN.LEFT_OUTER)
    ids = [number for (number,) in rows]
    return list(found.where(Message.id.in_(ids)).order_by(Message.id))


@lru_cache(maxsize=16)
def _waiting_sql(count: int, param: str) -> str:
    """Asked every second: worth making once. Says the words of the index that it is to use."""
    return (
        "SELECT MIN(id) FROM messages WHERE state IN ('queued', 'sending')"
        f" AND bot_id IN ({', '.join([param] * count)})"
        f" GROUP BY bot_id, chat_id ORDER BY MIN(id) LIMIT {param}"
    )


def begin(message_id: int) -> bool:
    """Note that a message is about to be sent; False when it is not to be sent any more."""
    queued = (Message.id == message_id) & (Message.state == State.QUEUED.value)
    going = {"state": State.SENDING.value, "updated_at": now()}
    return bool(Message.update(going).where(queued).execute())


def settle(
    message_id: int, state: State, *, number: int | None = None, error: str | None = None
) -> bool:
    """Note what came of a message that was being sent; `number` is Telegram's.

    Who knows better corrects who did not know.
    """
    begun = [State.SENDING.value]
    if state is State.SENT:
        begun.append(State.UNKNOWN.value)
    here = (Message.id == message_id) & Message.state.in_(begun)
    row = {"state": state.value, "message_id": number, "error": error and error[:256]}
    return bool(Message.update({**row, "updated_at": now()}).where(here).execute())
