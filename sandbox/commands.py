"""The bot's commands in menus: setMyCommands, getMyCommands, deleteMyCommands and what shows."""

from __future__ import annotations

import re
from typing import Any

from sandbox.account import Account
from sandbox.answers import Json, bad
from sandbox.calls import Call
from sandbox.cast import Person
from sandbox.params import Params, as_integer
from sandbox.rooms import Room

MOST_COMMANDS = 100
NAME = re.compile(r"[a-z0-9_]{1,32}")
LANGUAGE = re.compile(r"(?:[a-z]{2})?")
WIDE = ("default", "all_private_chats", "all_group_chats", "all_chat_administrators")
OF_CHAT = ("chat", "chat_administrators", "chat_member")
Key = tuple[str, int, int, str]


def set_my_commands(call: Call) -> bool:
    """The list for a scope and a language."""
    commands = _read_commands(call.params.json("commands", "commands"))
    key = _read_key(call)
    if commands:
        call.account.commands[key] = commands
    else:
        call.account.commands.pop(key, None)
    _tell(call, key)
    return True


def get_my_commands(call: Call) -> list[Json]:
    """The list for exactly this scope and language."""
    return call.account.commands.get(_read_key(call), [])


def delete_my_commands(call: Call) -> bool:
    """No list of its own for a scope and a language."""
    key = _read_key(call)
    call.account.commands.pop(key, None)
    _tell(call, key)
    return True


def shown_commands(account: Account, room: Room, person: Person) -> list[Json]:
    """What the "/" menu shows to a person in a chat.

    The narrowest scope that has a list wins, and in it the person's language.
    """
    language = person.language_code or ""
    chief = room.members.get(person.id) in ("creator", "administrator")
    for scope, chat_id, user_id in _scopes(room, person, chief=chief):
        for code in (language, ""):
            found = account.commands.get((scope, chat_id, user_id, code))
            if found:
                return found
    return []


def _scopes(room: Room, person: Person, *, chief: bool) -> list[tuple[str, int, int]]:
    if room.private:
        return [("chat", room.id, 0), ("all_private_chats", 0, 0), ("default", 0, 0)]
    scopes = [("chat_member", room.id, person.id)]
    if chief:
        scopes.append(("chat_administrators", room.id, 0))
    scopes.append(("chat", room.id, 0))
    if chief:
        scopes.append(("all_chat_administrators", 0, 0))
    return [*scopes, ("all_group_chats", 0, 0), ("default", 0, 0)]


def _read_commands(value: Any) -> list[Json]:
    if not isinstance(value, list):
        raise bad("expected an Array of BotCommand")
    if len(value) > MOST_COMMANDS:
        raise bad("BOT_COMMANDS_TOO_MUCH")
    return [_read_command(item) for item in value]


def _read_command(item: Any) -> Json:
    if not isinstance(item, dict):
        raise bad("can't parse BotCommand: expected an Object")
    for name in ("command", "description"):
        if not isinstance(item.get(name), str):
            raise bad(f"can't parse BotCommand: Can't find field \"{name}\"")
    command = item["command"].strip().removeprefix("/")
    description = item["description"].strip()
    if not command:
        raise bad("command must be non-empty")
    if len(command) > 32:
        raise bad("command length must not exceed 32")
    if not description:
        raise bad("command description must be non-empty")
    if len(description) > 256:
        raise bad("command description length must not exceed 256")
    if NAME.fullmatch(command) is None:
        raise bad("BOT_COMMAND_INVALID")
    return {"command": command, "description": description}


def _read_key(call: Call) -> Key:
    language = call.params.text("language_code")
    if LANGUAGE.fullmatch(language) is None:
        raise bad("invalid language code specified")
    value = call.params.json("scope", "BotCommandScope")
    if value is None:
        return ("default", 0, 0, language)
    if not isinstance(value, dict):
        raise bad("can't parse BotCommandScope: expected an Object")
    scope = value.get("type")
    if scope is None:
        raise bad("can't parse BotCommandScope: Can't find field \"type\"")
    if scope in WIDE:
        return (scope, 0, 0, language)
    if scope not in OF_CHAT:
        raise bad("can't parse BotCommandScope: Unsupported type specified")
    return (scope, *_read_place(call, scope, value), language)


def _read_place(call: Call, scope: str, value: Json) -> tuple[int, int]:
    inner = Call(call.world, call.account, Params(value))
    room = inner.room(write=False)
    if room.private and scope != "chat":
        raise bad("can't use specified scope in private chats")
    if scope != "chat_member":
        return room.id, 0
    user_id = as_integer(value.get("user_id"))
    if user_id not in call.world.people:
        raise bad("user not found")
    return room.id, user_id


def _tell(call: Call, key: Key) -> None:
    scope, chat_id, user_id, language = key
    call.world.feed.add(
        "commands",
        call.account.id,
        scope=scope,
        chat_id=chat_id or None,
        user_id=user_id or None,
        language_code=language,
    )
