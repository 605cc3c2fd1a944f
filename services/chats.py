"""Groups and channels the bots are in, kept fresh from the updates that name them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from models import Chat

KINDS = ("group", "supergroup", "channel")
MEMBERSHIPS = ("creator", "administrator", "member", "restricted", "left", "kicked")


class Chats:
    """Writes a chat when it is new or has changed since this process last saw it."""

    def __init__(self, *, size: int = 10_000) -> None:
        self._size = size
        self._seen: OrderedDict[tuple[int, int], tuple[str, str, str | None]] = OrderedDict()

    def meet(self, bot_id: int, updates: Iterable[dict[str, Any]], *, now: datetime) -> None:
        """Keep a batch's chats and the bot's membership in them, in the caller's transaction."""
        for update in updates:
            for kind, event in update.items():
                if isinstance(event, dict):
                    self._meet(bot_id, kind, event, now)

    def forget(self) -> None:
        """Forget what was seen: the transaction that was to keep it failed."""
        self._seen.clear()

    def _meet(self, bot_id: int, kind: str, event: dict[str, Any], now: datetime) -> None:
        chat = event.get("chat")
        if not isinstance(chat, dict) or chat.get("type") not in KINDS:
            return
        telegram_id = chat.get("id")
        if type(telegram_id) is not int or abs(telegram_id) >= 2**63:
            return
        username = _text(chat.get("username"))
        seen = (chat["type"], _text(chat.get("title")) or "", username and username[:64])
        membership = _membership(event) if kind == "my_chat_member" else None
        if membership is None and self._seen.get((bot_id, telegram_id)) == seen:
            return
        _write(bot_id, telegram_id, seen, membership, now)
        self._seen[(bot_id, telegram_id)] = seen
        if len(self._seen) > self._size:
            self._seen.popitem(last=False)


def _write(
    bot_id: int,
    telegram_id: int,
    seen: tuple[str, str, str | None],
    membership: str | None,
    now: datetime,
) -> None:
    row: dict[str, Any] = {"kind": seen[0], "title": seen[1], "username": seen[2]}
    if membership:
        row["membership"] = membership
    row["updated_at"] = now
    new = {"membership": "member", "created_at": now, **row}
    Chat.insert(bot_id=bot_id, telegram_id=telegram_id, **new).on_conflict(
        conflict_target=[Chat.bot_id, Chat.telegram_id],
        preserve=[getattr(Chat, name) for name in row],
    ).execute()


def _membership(event: dict[str, Any]) -> str | None:
    member = event.get("new_chat_member")
    status = member.get("status") if isinstance(member, dict) else None
    return status if status in MEMBERSHIPS else None


def _text(value: Any) -> str | None:
    """A title or name that every database can hold."""
    if not isinstance(value, str) or not value:
        return None
    return value.encode("utf-8", "replace").decode().replace("\0", "")[:256]
