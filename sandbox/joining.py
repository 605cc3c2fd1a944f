"""Who may come in and who may speak: join requests and restrictions, decided by the bot."""

from __future__ import annotations

from sandbox.account import Account
from sandbox.answers import Impossible, bad
from sandbox.calls import Call
from sandbox.cast import Person
from sandbox.members import PERMISSIONS, change, set_status
from sandbox.rooms import INSIDE, Room
from sandbox.scenes import Scene, find_person
from sandbox.world import World

FOREVER = 366 * 86_400
SHORTEST = 30
"""A restriction that is longer or shorter than these has no end."""


def request(world: World, account: Account, chat_id: int, person: Person) -> None:
    """A person asks to join; an administrator bot hears of it and may write to them.

    Raises: Impossible for a chat that does not exist, and for members.
    """
    room = account.rooms.get(chat_id)
    if room is None or room.private:
        raise Impossible(f"There is no group or channel {chat_id}.")
    if room.members.get(person.id, "left") in INSIDE:
        raise Impossible(f"{person.first_name} is a member of {room.chat['title']} already.")
    if room.bot_status != "administrator":
        raise Impossible("The bot is no administrator there and does not hear of it.")
    room.requests.add(person.id)
    account.private(person).started = True
    event = {"chat": room.chat, "from": person.user, "user_chat_id": person.id}
    account.queue.put("chat_join_request", {**event, "date": world.now()})


def leave_chat(call: Call) -> bool:
    """The bot goes out of a group or a channel by itself."""
    room = call.room(write=False)
    if room.private:
        raise bad("chat member status can't be changed in private chats")
    set_status(call.world, call.account, room.id, call.account.id, "left")
    return True


def approve_chat_join_request(call: Call) -> bool:
    """Let somebody in."""
    room, person = _asked(call)
    set_status(call.world, call.account, room.id, person.id, "member")
    return True


def decline_chat_join_request(call: Call) -> bool:
    """Do not let somebody in."""
    _asked(call)
    return True


def restrict_chat_member(call: Call) -> bool:
    """Take rights from a member of a supergroup for a time, or give them back."""
    room = call.room(write=False)
    if room.kind != "supergroup":
        raise bad("method is available only for supergroups")
    if room.bot_status != "administrator":
        raise bad("not enough rights to restrict/unrestrict chat member")
    person = call.world.people.get(call.params.integer("user_id"))
    old = room.members.get(person.id, "left") if person else "left"
    if person is None:
        raise bad("user not found")
    if old in ("creator", "administrator"):
        raise bad("user is an administrator of the chat")
    given = call.params.json("permissions", "chat permissions")
    if not isinstance(given, dict):
        raise bad("can't parse permissions: expected an Object")
    new = "member" if all(given.get(name) for name in PERMISSIONS) else "restricted"
    seconds = call.params.integer("until_date") - call.world.now()
    room.members[person.id] = new
    room.restricted[person.id] = 0 if not SHORTEST <= seconds <= FOREVER else seconds
    if room.restricted[person.id]:
        room.restricted[person.id] = call.params.integer("until_date")
    scene = Scene(call.world, call.account, room, person)
    scene.put("chat_member", {**change(scene, person.user, old, new), "from": call.account.user})
    call.happen("members", room, person_id=person.id, old=old, status=new)
    return True


def _asked(call: Call) -> tuple[Room, Person]:
    """The chat and the person of a request that is open, and is not any more."""
    room = call.room(write=False)
    if room.bot_status != "administrator":
        raise bad("CHAT_ADMIN_REQUIRED")
    person_id = call.params.integer("user_id")
    if person_id not in room.requests:
        raise bad("HIDE_REQUESTER_MISSING")
    room.requests.discard(person_id)
    return room, find_person(call.world, person_id)
