"""editMessageText, editMessageCaption, editMessageReplyMarkup."""

from __future__ import annotations

from sandbox.answers import Json, bad
from sandbox.calls import Call
from sandbox.markup import read_markup
from sandbox.rooms import CHANNEL, Room, Stored
from sandbox.texts import read_caption, read_text

NOT_MODIFIED = (
    "message is not modified: specified new message content and reply markup are exactly the same "
    "as a current content and reply markup of the message"
)
TEXT = ("text", "entities", "link_preview_options")
CAPTION = ("caption", "caption_entities")
MEDIA = ("photo", "document", *CAPTION)


def edit_message_text(call: Call) -> Json | bool:
    """New text for a message of the bot; without reply_markup its inline keyboard goes."""
    content = read_text(call)
    room, stored = find_edited(call)
    if "text" not in stored.json:
        raise bad("there is no text in the message to edit")
    return change(call, room, stored, TEXT, content)


def edit_message_caption(call: Call) -> Json | bool:
    """New caption for a message with a photo or a document."""
    content = read_caption(call)
    room, stored = find_edited(call)
    if "photo" not in stored.json and "document" not in stored.json:
        raise bad("there is no caption in the message to edit")
    return change(call, room, stored, CAPTION, content)


def edit_message_reply_markup(call: Call) -> Json | bool:
    """New inline keyboard for a message of the bot, or none."""
    room, stored = find_edited(call)
    return change(call, room, stored, (), {})


def find_edited(call: Call) -> tuple[Room, Stored]:
    """The chat and the message that an edit means.

    Raises: Refused when there is none, or it is not the bot's to edit.
    """
    inline_id = call.params.text("inline_message_id")
    if inline_id:
        return _find_inline(call, inline_id)
    room = call.room()
    stored = call.message(room, "edit")
    own = stored.sender_id == call.account.id or room.kind == CHANNEL
    if not own or stored.keyboard is not None or "forward_origin" in stored.json:
        raise bad("message can't be edited")
    return room, stored


def _find_inline(call: Call, inline_id: str) -> tuple[Room, Stored]:
    place = call.account.inline_messages.get(inline_id)
    if place is None:
        raise bad("MESSAGE_ID_INVALID")
    room = call.account.rooms[place[0]]
    stored = room.find(place[1])
    if stored is None:
        raise bad("message to edit not found")
    return room, stored


def change(
    call: Call, room: Room, stored: Stored, fields: tuple[str, ...], content: Json
) -> Json | bool:
    """Replace some fields and the inline keyboard of a message.

    Raises: Refused when nothing would change.
    """
    markup = read_markup(call.params, only_inline=True).inline
    old = stored.json
    same = all(old.get(name) == content.get(name) for name in fields)
    if same and old.get("reply_markup") == markup:
        raise bad(NOT_MODIFIED)
    new = {k: v for k, v in old.items() if k not in fields and k != "reply_markup"}
    new["edit_date"] = call.world.now()
    new.update(content)
    if markup is not None:
        new["reply_markup"] = markup
    stored.json = new
    call.note(room, new)
    call.happen("edit", room, message=stored.shown())
    return True if call.params.text("inline_message_id") else new
