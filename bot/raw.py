"""Raw updates: what kind one is, whose it is, and in which lane it goes."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, TypeAlias

from services.users import Sender

Raw: TypeAlias = dict[str, Any]

KIND = re.compile("[a-z_]{1,32}")
_sender: Callable[[tuple[Any, ...]], Sender] = partial(tuple.__new__, Sender)
"""A sender made of its parts; the way that a NamedTuple has takes five times as long."""
LIMIT, LOWEST = 2**63, -(2**63)
"""What a database column for Telegram's ids cannot hold any more."""


def kind_of(update: Raw) -> str:
    """The update's kind: the name of its one field beside `update_id`; "" when it has none."""
    for key, value in update.items():
        if isinstance(value, dict) and _can_be_kind(key):
            return key
    return ""


@lru_cache(maxsize=64)
def _can_be_kind(name: str) -> bool:
    return bool(KIND.fullmatch(name))


def lane_of(update: Raw, kind: str) -> int:
    """The key whose updates keep their order: the chat, else the user, else the poll."""
    event = update.get(kind)
    if not isinstance(event, dict):
        return 0
    if (number := _id(event.get("chat"))) is not None:
        return number
    message = event.get("message")
    if isinstance(message, dict) and (number := _id(message.get("chat"))) is not None:
        return number
    for name in ("from", "user", "voter_chat"):
        if (number := _id(event.get(name))) is not None:
            return number
    return zlib.crc32(str(event.get("id", "")).encode("utf-8", "replace"))


def _id(value: Any) -> int | None:
    """The id of a user or chat object, if it is one that a database column can hold."""
    if not isinstance(value, dict):
        return None
    number = value.get("id")  # as `column_id`, without another call: each update comes by twice
    return number if type(number) is int and LOWEST < number < LIMIT else None


def column_id(number: Any) -> int | None:
    """The number, if a database column for Telegram's ids can hold it."""
    return number if type(number) is int and LOWEST < number < LIMIT else None


def sender_of(update: Raw, kind: str) -> Sender | None:
    """The person behind an update, or None: channel posts, polls and bots have none."""
    event = update.get(kind)
    if not isinstance(event, dict):
        return None
    person = event.get("from") or event.get("user")
    if not isinstance(person, dict) or person.get("is_bot"):
        return None
    number = person.get("id")  # as `_id`
    if type(number) is not int or not LOWEST < number < LIMIT:
        return None
    username, first = person.get("username"), person.get("first_name")
    last, language = person.get("last_name"), person.get("language_code")
    try:  # nearly everybody's can be taken as they are
        words = "".join((username or "", first or "", last or "", language or ""))
    except TypeError:
        words = "\0"
    if words.isprintable() and len(words) <= 64 and len(language or "") <= 16:
        return _sender((number, username or None, first or "", last or None, language or None))
    first, last = _text(first, 256) or "", _text(last, 256)
    return Sender(number, _text(username, 64), first, last, _text(language, 16))


def _text(value: Any, size: int) -> str | None:
    """A string that every database can hold: no NUL, no half of a surrogate pair, not too long."""
    if not value or not isinstance(value, str):
        return None
    if len(value) <= size and value.isprintable():
        return value
    return value.encode("utf-8", "replace").decode().replace("\0", "")[:size] or None
