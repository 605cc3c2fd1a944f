"""The reading of an update: Telegram's JSON as the objects of telebot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from telebot import types

PLAIN = frozenset({"message_id", "from", "chat", "date", "text"})
"""The fields of what most people write."""
SCALARS = {str, int, bool}
SHAPES = 256
"""Names and types of fields that are remembered to fit; there are more, in whatever order."""


class Mould:
    """A telebot object whose unnamed fields are as telebot leaves them.

    A message has over a hundred, and telebot sets them one by one for each that comes.
    """

    def __init__(self, model: object, needed: str = "", taken: str = "") -> None:
        """`needed` and `taken` name the fields that must and that may come."""
        self._kind, self._empty = type(model), vars(model)
        self._needed = frozenset(needed.split())
        self._taken = self._needed | set(taken.split())
        self._known: set[tuple[object, ...]] = set()

    def fits(self, fields: Any) -> bool:
        """Whether telebot would take the fields as they are, and make no object of any."""
        if type(fields) is not dict:
            return False
        shape = (*fields, *map(type, fields.values()))
        return shape in self._known or self._takes(fields, shape)

    def _takes(self, fields: dict[str, Any], shape: tuple[object, ...]) -> bool:
        good = self._needed <= fields.keys() <= self._taken
        good = good and SCALARS.issuperset(map(type, fields.values()))
        if good and len(self._known) < SHAPES:
            self._known.add(shape)
        return good

    def cast(self, fields: dict[str, Any]) -> Any:
        """A new object."""
        made = self._kind.__new__(self._kind)
        made.__dict__ = self._empty | fields
        return made


_NAMES = "first_name last_name username"
_USER = Mould(
    types.User(0, False, ""), "id is_bot first_name", f"{_NAMES} language_code is_premium"
)
_CHAT = Mould(types.Chat(0, "private"), "id type", f"{_NAMES} title")
_MESSAGE = Mould(types.Message(0, None, 0, None, "text", {}, None))  # type: ignore[no-untyped-call]


def read(update: Mapping[str, Any], kind: str) -> tuple[Any, types.Update | None]:
    """The event of an update, None for an unknown kind, and the whole where that came with it.

    Raises what telebot raises, which is anything.
    """
    if kind == "message":  # nearly all of them: the other thirty kinds need not be looked for
        return _plain(update[kind]) or types.Message.de_json(update[kind]), None  # type: ignore[no-untyped-call]
    whole = read_whole(update, kind)
    return vars(whole).get(kind), whole


def _plain(message: Any) -> types.Message | None:
    """A message that is a text and nothing else; None for others, which telebot reads."""
    if type(message) is not dict or message.keys() != PLAIN:
        return None
    person, chat, number = message["from"], message["chat"], message["message_id"]
    if not (_USER.fits(person) and _CHAT.fits(chat)):
        return None
    made: types.Message = _MESSAGE.cast(
        {
            "id": number,
            "message_id": number,
            "from_user": _USER.cast(person),
            "chat": _CHAT.cast(chat),
            "date": message["date"],
            "text": message["text"],
            "json": message,
        }
    )
    return made


def read_whole(update: Mapping[str, Any], kind: str) -> types.Update:
    """The whole update; of one kind telebot expects another name than Telegram gives."""
    if kind == "purchased_paid_media":
        event = update[kind]
        update = {**update, kind: {**event, "from_user": event.get("from")}}
    whole: types.Update = types.Update.de_json(update)  # type: ignore[no-untyped-call]
    return whole
