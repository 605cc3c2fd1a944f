"""Makes known to the sandbox what a raw update speaks of, so that the bot can answer it."""

from __future__ import annotations

from sandbox.account import Account
from sandbox.answers import Json
from sandbox.cast import Person
from sandbox.queries import Query, ask
from sandbox.rooms import Numbers, Room, Stored
from sandbox.world import World

MESSAGES = ("message", "edited_message", "channel_post", "edited_channel_post")


def absorb(world: World, account: Account, update: Json) -> None:
    """Learn the sender, the chat, the message and the query of an update."""
    for kind, event in update.items():
        if not isinstance(event, dict):
            continue
        _meet(world, event.get("from"))
        if kind in MESSAGES:
            _store(world, account, event)
        elif kind == "callback_query":
            _store(world, account, event.get("message"))
            _ask(world, account.queries, event)
        elif kind == "inline_query":
            _ask(world, account.inline_queries, event)
        elif "chat" in event:
            _room(world, account, event["chat"])


def _meet(world: World, user: object) -> None:
    if not isinstance(user, dict) or user.get("is_bot") or user.get("id") in world.people:
        return
    names = ("id", "first_name", "last_name", "username", "language_code")
    facts = {name: user[name] for name in names if name in user}
    if isinstance(facts.get("id"), int):
        world.enroll(Person(**{"first_name": "", "language_code": None, **facts}))


def _store(world: World, account: Account, message: object) -> None:
    if not isinstance(message, dict) or not isinstance(message.get("chat"), dict):
        return
    room = _room(world, account, message["chat"])
    number = message.get("message_id")
    if room is None or not isinstance(number, int) or number in room.messages:
        return
    room.add(Stored(message, message.get("from", {}).get("id", 0)))
    room.numbers.reserve(number)


def _room(world: World, account: Account, chat: Json) -> Room | None:
    chat_id = chat.get("id")
    if not isinstance(chat_id, int):
        return None
    person = world.people.get(chat_id)
    if person is not None:
        room = account.private(person)
        room.started = True
    elif chat_id in account.rooms:
        room = account.rooms[chat_id]
    else:
        room = account.rooms[chat_id] = Room(chat, Numbers())
    return room


def _ask(world: World, queries: dict[str, Query], event: Json) -> None:
    user = event.get("from") or {}
    message = event.get("message") or {}
    chat_id = message.get("chat", {}).get("id", 0)
    ask(queries, Query(str(event.get("id")), chat_id, user.get("id", 0), world.clock()))
