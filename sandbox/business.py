"""Business accounts: people who let the bot answer in their own chats."""

from __future__ import annotations

from sandbox.account import Account
from sandbox.answers import Impossible, Json
from sandbox.cast import Person
from sandbox.delivery import deliver
from sandbox.people import text_content
from sandbox.rooms import Numbers, Room
from sandbox.world import World


def connect(world: World, account: Account, owner: Person) -> str:
    """A person connects the bot to their account; the id of the connection."""
    number = world.number()
    account.business[number] = owner
    account.private(owner).started = True
    event = {"id": number, "user": owner.user, "user_chat_id": owner.id, "date": world.now()}
    rights = {"can_reply": True, "can_read_messages": True}
    account.queue.put("business_connection", {**event, "rights": rights, "is_enabled": True})
    return number


def write(world: World, account: Account, number: str, customer: Person, text: str) -> Json:
    """Somebody writes to the owner of a business account; the bot hears of it.

    Raises: Impossible for a connection that does not exist.
    """
    if number not in account.business:
        raise Impossible(f"There is no business connection {number!r}.")
    key = (number, customer.id)
    room = account.business_rooms.get(key)
    if room is None:
        room = account.business_rooms[key] = Room(customer.chat, Numbers())
        room.started = True
    content = {"business_connection_id": number, **text_content(text)}
    stored = deliver(world, room, content, sender=customer.user)
    account.queue.put("business_message", stored.json)
    return stored.json
