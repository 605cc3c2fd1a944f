"""What people do in chats: write, edit, press buttons, and what the bot gets to see of it."""

from __future__ import annotations

from typing import Any

from sandbox.account import Account
from sandbox.answers import Impossible, Json
from sandbox.cast import Person
from sandbox.delivery import deliver, use_keyboard, without_reply
from sandbox.entities import format_text
from sandbox.queries import open_query
from sandbox.rooms import CHANNEL, INSIDE, Room, Stored
from sandbox.spans import units
from sandbox.texts import LONGEST_CAPTION, LONGEST_TEXT, with_entities
from sandbox.world import World


def person_of(world: World, person_id: int) -> Person:
    """Somebody of the sandbox.

    Raises: Impossible for a number that nobody has.
    """
    person = world.people.get(person_id)
    if person is None:
        raise Impossible(f"Nobody here has the id {person_id}; telegram.cast() lists the people.")
    return person


def room_of(world: World, account: Account, chat_id: int, person_id: int) -> Room:
    """The chat in which a person acts; a private chat is named by the person's own id.

    Raises: Impossible when the chat does not exist or the person is not in it.
    """
    person = person_of(world, person_id)
    if chat_id == person_id:
        return account.private(person)
    room = account.rooms.get(chat_id)
    if room is None or room.private:
        raise Impossible(f"{person.first_name} has no chat {chat_id} with this bot.")
    if room.members.get(person_id) not in INSIDE:
        raise Impossible(f"{person.first_name} is not a member of {room.chat['title']}.")
    if room.moved_to is not None:
        raise Impossible(f"{room.chat['title']} moved to the chat {room.moved_to}.")
    return room


def write(
    world: World,
    account: Account,
    room: Room,
    person: Person,
    content: Json,
    *,
    reply_to: int | None,
) -> Stored:
    """A message of a person: stored, told to the feed and, where it may see it, to the bot."""
    if room.private:
        if room.blocked:
            raise Impossible(f"{person.first_name} has blocked the bot; unblock it first.")
        room.started = True
    if room.kind == CHANNEL and room.members.get(person.id) not in ("creator", "administrator"):
        raise Impossible(f"Only administrators can post in {room.chat['title']}.")
    if reply_to is not None:
        content = {**_reply(room, reply_to), **content}
    use_keyboard(room, person.id)
    stored = deliver(world, room, content, sender=person.user)
    announce(world, account, room, stored)
    return stored


def announce(world: World, account: Account, room: Room, stored: Stored) -> None:
    """Tell the feed of a person's message, and the bot when it may see it."""
    update = None
    if sees(account, room, stored.json):
        kind = "channel_post" if room.kind == CHANNEL else "message"
        update = account.queue.put(kind, stored.json)
    facts: dict[str, Any] = {"update": update} if update else {}
    world.feed.add("message", account.id, chat_id=room.id, message=stored.shown(), **facts)


def text_content(text: str) -> Json:
    """The fields of a text as a person types it.

    Raises: Impossible when it is empty or too long.
    """
    text, entities = format_text(text)
    if not text:
        raise Impossible("A message needs some text.")
    if units(text) > LONGEST_TEXT:
        raise Impossible(f"A message has at most {LONGEST_TEXT} characters.")
    return with_entities("text", text, entities)


def caption_content(caption: str | None) -> Json:
    """The fields of a caption as a person types it, none when there is none."""
    text, entities = format_text(caption or "")
    if units(text) > LONGEST_CAPTION:
        raise Impossible(f"A caption has at most {LONGEST_CAPTION} characters.")
    return with_entities("caption", text, entities) if text else {}


def sees(account: Account, room: Room, message: Json) -> bool:
    """Privacy mode: what of a group reaches a bot that is no administrator of it."""
    if room.private or room.kind == CHANNEL or room.bot_status == "administrator":
        return room.bot_status in INSIDE
    if room.bot_status not in INSIDE:
        return False
    if "text" not in message and "photo" not in message and "document" not in message:
        return True
    if message.get("reply_to_message", {}).get("from", {}).get("id") == account.id:
        return True
    return _addressed(account, room, message)


def edit(
    world: World, account: Account, room: Room, person: Person, message_id: int, text: str
) -> Json:
    """A person changes the text, or the caption, of a message of their own."""
    stored = room.find(message_id)
    if stored is None or stored.sender_id != person.id:
        raise Impossible(f"{person.first_name} has no message {message_id} here to edit.")
    old = stored.json
    name = "text" if "text" in old else "caption"
    content = text_content(text) if name == "text" else caption_content(text)
    dropped = (name, "entities" if name == "text" else "caption_entities")
    kept = {k: v for k, v in old.items() if k not in dropped}
    stored.json = {**kept, "edit_date": world.now(), **content}
    kind = "edited_channel_post" if room.kind == CHANNEL else "edited_message"
    if sees(account, room, stored.json):
        account.queue.put(kind, stored.json)
    world.feed.add("edit", account.id, chat_id=room.id, message=stored.shown())
    return stored.json


def press(
    world: World, account: Account, room: Room, person: Person, message_id: int, data: str
) -> str:
    """A person presses an inline button; the id of the callback query.

    Raises: Impossible when the message has no button with this data.
    """
    stored = room.find(message_id)
    rows = (stored.json.get("reply_markup") or {}).get("inline_keyboard", []) if stored else []
    if not any(button.get("callback_data") == data for row in rows for button in row):
        raise Impossible(f"Message {message_id} has no button with the data {data!r}.")
    query = open_query(world, account, room.id, person.id)
    event: Json = {"id": query.id, "from": person.user, "chat_instance": chat_instance(room)}
    if stored is not None:
        event["message"] = stored.json
    account.queue.put("callback_query", event | {"data": data})
    return query.id


def chat_instance(room: Room) -> str:
    """The number by which games know a chat."""
    return str(abs(room.id) * 7_919 + 1_000_003)


def _reply(room: Room, message_id: int) -> Json:
    target = room.find(message_id)
    if target is None:
        raise Impossible(f"There is no message {message_id} to reply to.")
    return {"reply_to_message": without_reply(target.json)}


def _addressed(account: Account, room: Room, message: Json) -> bool:
    text: str = message.get("text") or message.get("caption") or ""
    entities = message.get("entities") or message.get("caption_entities") or []
    if not any(entity["type"] == "bot_command" for entity in entities):
        return f"@{account.username}".lower() in text.lower()
    command = text.split(maxsplit=1)[0].lower()
    if "@" in command:
        return command.endswith(f"@{account.username}".lower())
    return room.last is not None and room.last.sender_id == account.id
