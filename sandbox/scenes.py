"""A person in a chat with a bot: who acts where, and whom it is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sandbox.account import Account
from sandbox.answers import Impossible, Json
from sandbox.cast import Person
from sandbox.rooms import CHANNEL, INSIDE, Room, Stored
from sandbox.world import World


@dataclass(frozen=True, slots=True)
class Scene:
    """What a person's deed needs; the account's lock is held while it is played."""

    world: World
    account: Account
    room: Room
    person: Person

    def put(self, kind: str, event: Json) -> Json | None:
        """Queue an update for the bot, if it wants this kind."""
        return self.account.queue.put(kind, event)

    def happen(self, kind: str, **facts: Any) -> None:
        """Tell the feed."""
        self.world.feed.add(kind, self.account.id, chat_id=self.room.id, **facts)

    def message(self, message_id: int) -> Stored:
        """A message of the chat.

        Raises: Impossible when there is none.
        """
        stored = self.room.find(message_id)
        if stored is None:
            raise Impossible(f"There is no message {message_id} in this chat.")
        return stored

    def announce(self, stored: Stored) -> None:
        """Tell the feed of a new message, and the bot when it may see it."""
        facts: dict[str, Any] = {}
        if self.sees(stored.json):
            update = self.put(
                "channel_post" if self.room.kind == CHANNEL else "message", stored.json
            )
            facts = {"update": update} if update else {}
        self.happen("message", message=stored.shown(), **facts)

    def sees(self, message: Json) -> bool:
        """Privacy mode: what of a group reaches a bot that is no administrator of it."""
        room = self.room
        if room.private:
            return True
        if room.bot_status not in INSIDE:
            return False
        if room.kind == CHANNEL or room.bot_status == "administrator":
            return True
        if not CONTENT.intersection(message):
            return True
        if message.get("reply_to_message", {}).get("from", {}).get("id") == self.account.id:
            return True
        return self._addressed(message)

    def _addressed(self, message: Json) -> bool:
        if message.get("via_bot", {}).get("id") == self.account.id:
            return True
        text: str = message.get("text") or message.get("caption") or ""
        entities = message.get("entities") or message.get("caption_entities") or ()
        commands = [entity for entity in entities if entity["type"] == "bot_command"]
        if not commands or commands[0]["offset"]:
            return f"@{self.account.username}" in text.lower()
        command = text[: commands[0]["length"]].lower()
        if "@" in command:
            return command.endswith(f"@{self.account.username}")
        return self.room.last_bot


CONTENT = frozenset({"text", "photo", "document", "poll"})


def find_person(world: World, person_id: int) -> Person:
    """Somebody of the sandbox.

    Raises: Impossible for a number that nobody has.
    """
    person = world.people.get(person_id)
    if person is None:
        raise Impossible(f"Nobody here has the id {person_id}; telegram.cast() lists the people.")
    return person


def open_scene(world: World, account: Account, chat_id: int, person_id: int) -> Scene:
    """A person in a chat; a private chat is named by the person's own id.

    Raises: Impossible when the chat does not exist or the person is not in it.
    """
    person = find_person(world, person_id)
    if chat_id == person_id:
        return Scene(world, account, account.private(person), person)
    room = account.rooms.get(chat_id)
    if room is None or room.private:
        raise Impossible(f"{person.first_name} has no chat {chat_id} with this bot.")
    if room.moved_to is not None:
        raise Impossible(f"{room.chat['title']} moved to the chat {room.moved_to}.")
    if room.members.get(person_id) not in INSIDE:
        raise Impossible(f"{person.first_name} is not a member of {room.chat['title']}.")
    return Scene(world, account, room, person)
