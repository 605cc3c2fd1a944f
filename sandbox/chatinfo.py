"""getChat, getChatMember and getChatAdministrators."""

from __future__ import annotations

from sandbox.answers import Json, bad
from sandbox.calls import Call
from sandbox.members import PERMISSIONS, describe
from sandbox.rooms import CHANNEL, Room

GIFTS = (
    "unlimited_gifts",
    "limited_gifts",
    "unique_gifts",
    "premium_subscription",
    "gifts_from_channels",
)


def get_chat(call: Call) -> Json:
    """Everything about a chat."""
    room = call.room(write=False)
    info: Json = {
        **room.chat,
        "accent_color_id": abs(room.id) % 7,
        "max_reaction_count": 11,
        "accepted_gift_types": dict.fromkeys(GIFTS, room.private),
    }
    if "username" in room.chat:
        info["active_usernames"] = [room.chat["username"]]
    if not room.private and room.kind != CHANNEL:
        info["permissions"] = dict.fromkeys(PERMISSIONS, True)
    pinned = room.find(room.pinned[-1]) if room.pinned else None
    if pinned is not None:
        info["pinned_message"] = pinned.json
    return info


def get_chat_member(call: Call) -> Json:
    """The standing of somebody in a chat."""
    user_id = call.params.integer("user_id")
    if user_id <= 0:
        raise bad("invalid user_id specified")
    room = call.room(write=False)
    if user_id == call.account.id:
        return describe(room, call.account.user, room.bot_status)
    person = call.world.people.get(user_id)
    if person is None:
        raise bad("user not found")
    if room.private and user_id != room.id:
        raise bad("member not found")
    return describe(room, person.user, room.members.get(user_id, "left"))


def get_chat_administrators(call: Call) -> list[Json]:
    """Those who run a group or a channel, the creator first."""
    room = call.room(write=False)
    if room.private:
        raise bad("there are no administrators in the private chat")
    chiefs = _chiefs(call, room)
    if room.bot_status == "administrator":
        chiefs.append(describe(room, call.account.user, room.bot_status))
    return chiefs


def _chiefs(call: Call, room: Room) -> list[Json]:
    found = []
    for status in ("creator", "administrator"):
        for who, standing in room.members.items():
            if standing == status:
                found.append(describe(room, call.world.people[who].user, status))
    return found
