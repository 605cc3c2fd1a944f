"""The reading of an update: Telegram's JSON as the objects of telebot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from telebot import types


def read(update: Mapping[str, Any], kind: str) -> tuple[Any, types.Update | None]:
    """The event of an update, None for an unknown kind, and the whole where that came with it.

    Raises what telebot raises, which is anything.
    """
    if kind == "message":  # nearly all of them: the other thirty kinds need not be looked for
        return types.Message.de_json(update[kind]), None  # type: ignore[no-untyped-call]
    whole = read_whole(update, kind)
    return vars(whole).get(kind), whole


def read_whole(update: Mapping[str, Any], kind: str) -> types.Update:
    """The whole update; of one kind telebot expects another name than Telegram gives."""
    if kind == "purchased_paid_media":
        event = update[kind]
        update = {**update, kind: {**event, "from_user": event.get("from")}}
    whole: types.Update = types.Update.de_json(update)  # type: ignore[no-untyped-call]
    return whole
