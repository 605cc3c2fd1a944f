"""A chat as one bot sees it: its messages, its members, its keyboards."""

from __future__ import annotations

from collections.abc import Iterable

from sandbox.answers import Json
from sandbox.cast import Person, Place

CHANNEL = "channel"
INSIDE = frozenset({"creator", "administrator", "member", "restricted"})


class Numbers:
    """Gives messages their numbers: one row for all private chats of a bot, one a supergroup."""

    __slots__ = ("last",)

    def __init__(self) -> None:
        self.last = 0

    def take(self) -> int:
        """The next number."""
        self.last += 1
        return self.last

    def reserve(self, number: int) -> None:
        """Never give this number, or one before it, from now on."""
        self.last = max(self.last, number)


class Stored:
    """A message as it is now; its JSON is replaced, never changed, by an edit."""

    __slots__ = ("deleted", "inline_id", "json", "keyboard", "reactions", "sender_id")

    def __init__(self, json: Json, sender_id: int, keyboard: Json | None = None) -> None:
        self.json = json
        self.sender_id = sender_id
        self.keyboard = keyboard
        self.deleted = False
        self.inline_id = ""
        self.reactions: dict[int, list[Json]] = {}

    def shown(self) -> Json:
        """The message for a reader of the history: with what the Bot API does not tell."""
        extra: Json = {}
        if self.deleted:
            extra["deleted"] = True
        if self.keyboard is not None:
            extra["keyboard"] = self.keyboard
        if self.reactions:
            extra["reactions"] = {str(who): what for who, what in self.reactions.items()}
        return {**self.json, **extra}


class Room:
    """A private chat, a group or a channel with its history."""

    def __init__(self, chat: Json, numbers: Numbers, *, bot_status: str = "member") -> None:
        self.chat = chat
        self.id: int = chat["id"]
        self.kind: str = chat["type"]
        self.numbers = numbers
        self.bot_status = bot_status
        self.messages: dict[int, Stored] = {}
        self.members: dict[int, str] = {}
        self.pinned: list[int] = []
        self.requests: set[int] = set()
        self.restricted: dict[int, int] = {}
        self.keyboards: dict[int, Json] = {}
        self.started = self.kind != "private"
        self.blocked = False
        self.moved_to: int | None = None
        self.last: Stored | None = None
        self.last_bot = False

    @property
    def private(self) -> bool:
        """True for a chat of one person with the bot."""
        return self.kind == "private"

    def find(self, message_id: int) -> Stored | None:
        """A message that exists and was not deleted."""
        stored = self.messages.get(message_id)
        return None if stored is None or stored.deleted else stored

    def add(self, stored: Stored) -> None:
        """Append a message."""
        self.messages[stored.json["message_id"]] = stored
        self.last = stored

    def people(self) -> list[int]:
        """The ids of those who are in the chat now."""
        return [who for who, status in self.members.items() if status in INSIDE]


def private_room(person: Person, numbers: Numbers) -> Room:
    """The chat of a bot with a person."""
    room = Room(person.chat, numbers)
    room.members[person.id] = "member"
    return room


def shared_room(place: Place, people: Iterable[int], numbers: Numbers) -> Room:
    """A group, or a channel (where bots are administrators), with everybody in it."""
    chat: Json = {"id": place.id, "type": place.kind, "title": place.title}
    if place.username:
        chat["username"] = place.username
    status = "administrator" if place.kind == CHANNEL else "member"
    own = numbers if place.kind == "group" else Numbers()
    room = Room(chat, own, bot_status=status)
    room.members = {who: "creator" if who == place.creator else "member" for who in people}
    return room
