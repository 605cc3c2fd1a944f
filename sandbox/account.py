"""A bot's account: who it is, what it sees, and what it was asked and has not answered."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from sandbox.answers import Json
from sandbox.cast import Person
from sandbox.rooms import Numbers, Room, private_room
from sandbox.updates import Queue

if TYPE_CHECKING:
    from sandbox.queries import Query

SANDBOX_BOT = 1_000_000_001


class Account:
    """One bot. Its lock is held while anything of it is read or changed."""

    def __init__(self, bot_id: int, queue: Queue) -> None:
        self.id = bot_id
        self.token = ""
        self.queue = queue
        self.lock = threading.RLock()
        self.username = "sandbox_bot" if bot_id == SANDBOX_BOT else f"bot{bot_id}_bot"
        self.name = "Sandbox bot" if bot_id == SANDBOX_BOT else f"Bot {bot_id}"
        self.user: Json = {
            "id": bot_id,
            "is_bot": True,
            "first_name": self.name,
            "username": self.username,
        }
        self.numbers = Numbers()
        self.rooms: dict[int, Room] = {}
        self.queries: dict[str, Query] = {}
        self.inline_queries: dict[str, Query] = {}
        self.inline_messages: dict[str, tuple[int, int]] = {}
        self.polls: dict[str, dict[int, list[int]]] = {}
        self.commands: dict[tuple[str, int, int, str], list[Json]] = {}
        self.webhook: Json = {}
        self.payloads: dict[tuple[int, int], str] = {}
        self.charges: dict[str, tuple[int, Json]] = {}
        self.checkouts: dict[str, Query] = {}
        self.business: dict[str, Person] = {}
        self.business_rooms: dict[tuple[str, int], Room] = {}

    def private(self, person: Person) -> Room:
        """The chat with a person, made at the first use."""
        room = self.rooms.get(person.id)
        if room is None:
            room = self.rooms[person.id] = private_room(person, self.numbers)
        return room
