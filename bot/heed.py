"""Heed: what the team does to people in the panel reaches what this process remembers of them."""

from __future__ import annotations

from bot.conversations import Conversations
from services import audit
from services.users import People


class Heed:
    """`refresh` once a second: a ban also stops what the person sent before and what waits still.

    The audit log tells whom to look at, since every change by the team is in it.
    """

    def __init__(self, people: People, conversations: Conversations) -> None:
        self._people = people
        self._conversations = conversations
        self._seen: int | None = None

    def refresh(self) -> None:
        """Read anew the people whom new entries are about."""
        self._seen, changed = audit.changed_people(self._seen)
        if changed:
            self._conversations.doubt(self._people.reread(changed))
