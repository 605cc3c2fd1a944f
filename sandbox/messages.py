"""sendMessage, forwardMessage, copyMessage, deleteMessage and sendChatAction."""

from __future__ import annotations

from sandbox.answers import Json, bad
from sandbox.calls import Call
from sandbox.delivery import read_reply, send
from sandbox.markup import read_markup
from sandbox.rooms import CHANNEL, Room, Stored
from sandbox.texts import read_caption, read_text

KEPT_FIELDS = (
    "text",
    "entities",
    "caption",
    "caption_entities",
    "photo",
    "document",
    "poll",
    "link_preview_options",
)
OLDEST_DELETED = 48 * 3600
CHAT_ACTIONS = frozenset(
    [
        "typing",
        "upload_photo",
        "record_video",
        "upload_video",
        "record_voice",
        "upload_voice",
        "record_audio",
        "upload_audio",
        "upload_document",
        "choose_sticker",
        "pick_up_location",
        "find_location",
        "record_video_note",
        "upload_video_note",
        "cancel",
    ]
)


def send_message(call: Call) -> Json:
    """A text to a chat."""
    content = read_text(call)
    markup = read_markup(call.params)
    room = call.room()
    check_kind(room, markup.field)
    content = read_options(call, room) | content
    return send(call, room, content, markup)


def read_options(call: Call, room: Room) -> Json:
    """What any message may carry besides its content: the reply and the protection."""
    if call.params.integer("message_thread_id"):
        raise bad("message thread not found")
    content = read_reply(call, room)
    if call.params.flag("protect_content"):
        content["has_protected_content"] = True
    return content


def check_kind(room: Room, field: Json | None) -> None:
    """A channel has no input field to show a keyboard under."""
    if room.kind == CHANNEL and field is not None:
        raise bad("inline keyboard expected")


def forward_message(call: Call) -> Json:
    """A message shown again in a chat with its origin."""
    stored = _source(call, "forward")
    room = call.room()
    content = {**_content(stored), "forward_origin": _origin(stored)}
    return send(call, room, content)


def copy_message(call: Call) -> Json:
    """A message sent again as the bot's own."""
    stored = _source(call, "copy")
    content = _content(stored)
    if not content:
        raise bad("message can't be copied")
    if "caption" in call.params and "text" not in content:
        content = {k: v for k, v in content.items() if not k.startswith("caption")}
        content |= read_caption(call)
    markup = read_markup(call.params)
    room = call.room()
    check_kind(room, markup.field)
    message = send(call, room, {**read_options(call, room), **content}, markup)
    return {"message_id": message["message_id"]}


def delete_message(call: Call) -> bool:
    """Remove a message of the bot, or in a private chat also one of the person."""
    room = call.room(write=False)
    stored = call.message(room, "delete")
    if not _deletable(call, room, stored):
        raise bad("message can't be deleted")
    erase(room, stored)
    call.note(room, stored.json)
    call.happen("delete", room, message_id=stored.json["message_id"])
    return True


def erase(room: Room, stored: Stored) -> None:
    """Mark a message as deleted; its number is never given again."""
    stored.deleted = True
    message_id = stored.json["message_id"]
    if message_id in room.pinned:
        room.pinned.remove(message_id)


def send_chat_action(call: Call) -> bool:
    """Show for up to five seconds what the bot is doing."""
    action = call.params.text("action").lower()
    if action not in CHAT_ACTIONS:
        raise bad("wrong parameter action in request")
    room = call.room()
    call.happen("action", room, action=action)
    return True


def _source(call: Call, action: str) -> Stored:
    room = call.room("from_chat_id", write=False)
    return call.message(room, action)


def _content(stored: Stored) -> Json:
    return {name: stored.json[name] for name in KEPT_FIELDS if name in stored.json}


def _origin(stored: Stored) -> Json:
    message = stored.json
    earlier: Json | None = message.get("forward_origin")
    if earlier is not None:
        return earlier
    if "from" not in message:
        return {
            "type": "channel",
            "date": message["date"],
            "chat": message["chat"],
            "message_id": message["message_id"],
        }
    return {"type": "user", "date": message["date"], "sender_user": message["from"]}


def _deletable(call: Call, room: Room, stored: Stored) -> bool:
    if call.world.now() - stored.json["date"] > OLDEST_DELETED:
        return False
    own = stored.sender_id == call.account.id
    return own or room.private or room.bot_status == "administrator"
