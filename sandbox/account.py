"""A bot's account: who it is, what it sees, and what it was asked and has not answered."""

from __future__ import annotations

import threading
from itertools import count
from typing import Any

from sandbox.answers import Json
from sandbox.cast import Person
from sandbox.rooms import Room, private_room
from sandbox.updates import Queue

SANDBOX_BOT = 1_000_000_001


class Account:
    """One bot. Its lock is held while anything of it is read or changed."""

    def __init__(self, bot_id: int, token: str, queue: Queue) -> None:
        self.id = bot_id
        self.token = token
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
        self.numbers = count(1)
        self.rooms: dict[int, Room] = {}
        self.queries: dict[str, Any] = {}
        self.inline_queries: dict[str, Any] = {}
        self.inline_messages: dict[str, tuple[int, int]] = {}
        self.polls: dict[str, Any] = {}
        self.commands: dict[tuple[str, int, int, str], list[Json]] = {}
        self.webhook: Json = {}

    def private(self, person: Person) -> Room:
        """The chat with a person, made at the first use."""
        room = self.rooms.get(person.id)
        if room is None:
            room = self.rooms[person.id] = private_room(person, self.numbers)
        return room
