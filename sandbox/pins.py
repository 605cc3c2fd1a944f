"""pinChatMessage, unpinChatMessage and unpinAllChatMessages."""

from __future__ import annotations

from sandbox.answers import bad
from sandbox.calls import Call
from sandbox.delivery import deliver, without_reply
from sandbox.rooms import CHANNEL, Room


def pin_chat_message(call: Call) -> bool:
    """Put a message on top of a chat; Telegram notes it with a message of its own."""
    room = _room(call)
    stored = call.message(room, "pin")
    message_id = stored.json["message_id"]
    if message_id in room.pinned:
        room.pinned.remove(message_id)
    room.pinned.append(message_id)
    content = {"pinned_message": without_reply(stored.json)}
    note = deliver(call.world, room, content, sender=call.account.user)
    call.note(room, note.json)
    kind = "channel_post" if room.kind == CHANNEL else "message"
    call.account.queue.put(kind, note.json)
    call.happen("message", room, message=note.shown())
    call.happen("pin", room, pinned=list(room.pinned))
    return True


def unpin_chat_message(call: Call) -> bool:
    """Take a message, or the last one pinned, from the top of a chat."""
    room = _room(call)
    message_id = call.params.integer("message_id") or (room.pinned[-1] if room.pinned else 0)
    if message_id not in room.pinned:
        raise bad("message to unpin not found")
    room.pinned.remove(message_id)
    call.happen("pin", room, pinned=list(room.pinned))
    return True


def unpin_all_chat_messages(call: Call) -> bool:
    """Nothing pinned any more."""
    room = _room(call)
    room.pinned.clear()
    call.happen("pin", room, pinned=[])
    return True


def _room(call: Call) -> Room:
    room = call.room(write=False)
    if not room.private and room.bot_status != "administrator":
        raise bad("not enough rights to manage pinned messages in the chat")
    return room
