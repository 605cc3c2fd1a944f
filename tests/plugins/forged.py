"""A tap that no button offers, as a modified app can send it."""

from __future__ import annotations

from bot.testing import ChatKit, Person, View


def tap(kit: ChatKit, person: Person, data: str, *, to: View | None = None) -> None:
    """Tap the newest message with data of one's own making."""
    query = {
        "id": "1",
        "from": person.user,
        "chat_instance": "1",
        "message": (to or person).messages[-1],
        "data": data,
    }
    kit.telegram.push(kit.bot_id, {"callback_query": query})
    kit.step()
