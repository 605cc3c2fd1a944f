"""Puts messages into chats: numbers and dates them, and shows their keyboards to people."""

from __future__ import annotations

from sandbox.answers import Json, bad
from sandbox.calls import Call
from sandbox.markup import NONE, Markup
from sandbox.params import as_flag, as_integer
from sandbox.rooms import CHANNEL, Room, Stored
from sandbox.world import World


def deliver(
    world: World,
    room: Room,
    content: Json,
    *,
    sender: Json,
    markup: Markup = NONE,
) -> Stored:
    """A new message in a chat, told to the feed but not to the bot."""
    message: Json = {"message_id": room.numbers.take()}
    if room.kind == CHANNEL:
        message["sender_chat"] = room.chat
    else:
        message["from"] = sender
    message["chat"] = room.chat
    message["date"] = world.now()
    message.update(content)
    if markup.inline is not None:
        message["reply_markup"] = markup.inline
    stored = Stored(message, sender["id"], markup.field)
    room.add(stored)
    return stored


def send(call: Call, room: Room, content: Json, markup: Markup = NONE) -> Json:
    """A message by the bot; its keyboard appears to those whom it is meant for."""
    sender = call.account.user
    if call.business:
        content = {"business_connection_id": call.business, "sender_business_bot": sender} | content
        sender = call.account.business[call.business].user
    stored = deliver(call.world, room, content, sender=sender, markup=markup)
    stored.sender_id = call.account.id
    room.last_bot = True
    if markup.field is not None:
        show_keyboard(call.world, room, stored)
    call.note(room, stored.json)
    call.happen("message", room, message=stored.shown())
    return stored.json


def show_keyboard(world: World, room: Room, stored: Stored) -> None:
    """Show, replace or remove the keyboard under the input field of those concerned."""
    field = stored.keyboard or {}
    for who in _audience(world, room, stored, selective=bool(field.get("selective"))):
        if "remove_keyboard" in field:
            room.keyboards.pop(who, None)
        else:
            room.keyboards[who] = field | {"message_id": stored.json["message_id"]}


def use_keyboard(room: Room, person_id: int) -> None:
    """A person wrote: a keyboard for one time, or a forced reply, has done its duty."""
    field = room.keyboards.get(person_id)
    if field and (field.get("one_time_keyboard") or "force_reply" in field):
        del room.keyboards[person_id]


def read_reply(call: Call, room: Room) -> Json:
    """The reply_to_message field that the reply parameters ask for.

    Raises: Refused when the message is not there and must be.
    """
    message_id, optional = _reply_target(call)
    if not message_id:
        return {}
    target = room.find(message_id)
    if target is None:
        if optional:
            return {}
        raise bad("message to be replied not found")
    return {"reply_to_message": without_reply(target.json)}


def without_reply(message: Json) -> Json:
    """A message as another one quotes it: without the one that it quotes itself."""
    return {name: value for name, value in message.items() if name != "reply_to_message"}


def _reply_target(call: Call) -> tuple[int, bool]:
    value = call.params.json("reply_parameters", "reply parameters")
    if value is None:
        optional = call.params.flag("allow_sending_without_reply")
        return call.params.integer("reply_to_message_id"), optional
    if not isinstance(value, dict):
        raise bad("object expected as reply parameters")
    if value.get("message_id") is None:
        raise bad('can\'t find field "message_id"')
    return as_integer(value["message_id"]), as_flag(value.get("allow_sending_without_reply"))


def _audience(world: World, room: Room, stored: Stored, *, selective: bool) -> list[int]:
    if room.private or not selective:
        return room.people()
    people = room.people()
    named = {stored.json.get("reply_to_message", {}).get("from", {}).get("id")}
    text: str = stored.json.get("text") or stored.json.get("caption") or ""
    entities = stored.json.get("entities") or stored.json.get("caption_entities") or []
    named |= {entity["user"]["id"] for entity in entities if entity["type"] == "text_mention"}
    for who in people:
        username = world.people[who].username
        if username and f"@{username}" in text.lower():
            named.add(who)
    return [who for who in people if who in named]
