"""Entities that the bot states itself, with offsets in UTF-16 code units."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from typing import Any

from sandbox.answers import bad
from sandbox.links import WrongLink, check_link, linked_user
from sandbox.params import as_integer
from sandbox.spans import CODE, QUOTES, SPLITTABLE, Span

FOUND = frozenset(
    {"mention", "hashtag", "cashtag", "bot_command", "url", "email", "phone_number", "bank_card"}
)
PLAIN = frozenset({*SPLITTABLE, *QUOTES, *CODE})
LARGEST = 1_000_000


def read_entities(stated: Any, text: str) -> list[Span]:
    """The spans in a decoded entities parameter; what Telegram finds itself is left out.

    Raises: Refused, in Telegram's words.
    """
    if not isinstance(stated, list):
        raise bad("expected an Array of MessageEntity")
    offsets = _offsets(text)
    spans = []
    for entity in stated:
        if not isinstance(entity, dict):
            raise bad("can't parse MessageEntity: MessageEntity must be an Object")
        span = _read(entity, offsets)
        if span is not None and span.start < span.end:
            spans.append(span)
    return spans


def _read(entity: Mapping[str, Any], offsets: list[int]) -> Span | None:
    for name in ("type", "offset", "length"):
        _required(entity, name)
    kind = str(entity["type"])
    extra = _extra(kind, entity)
    start, end = _place(entity, offsets)
    if kind in FOUND:
        return None
    if "user" in extra:
        kind = "text_mention"
    return Span(kind, start, end, extra)


def _place(entity: Mapping[str, Any], offsets: list[int]) -> tuple[int, int]:
    offset, length = as_integer(entity["offset"]), as_integer(entity["length"])
    if not 0 <= offset <= LARGEST:
        raise bad(f"receive an entity with incorrect offset {offset}")
    if not 0 <= length <= LARGEST:
        raise bad(f"receive an entity with incorrect length {length}")
    if offset > offsets[-1]:
        raise bad(f"entity begins after the end of the text at UTF-16 offset {offset}")
    end = offset + length
    if end > offsets[-1]:
        raise bad(
            f"entity beginning at UTF-16 offset {offset} ends after the end of the text "
            f"at UTF-16 offset {end}"
        )
    for edge, what in ((offset, "begins"), (end, "ends")):
        if offsets[bisect_left(offsets, edge)] != edge:
            raise bad(f"entity {what} in a middle of a UTF-16 symbol at byte offset {edge}")
    return bisect_left(offsets, offset), bisect_left(offsets, end)


def _extra(kind: str, entity: Mapping[str, Any]) -> dict[str, Any]:
    if kind == "text_link":
        return _link(str(_required(entity, "url")))
    if kind == "text_mention":
        user = _required(entity, "user")
        return {"user": as_integer(user.get("id") if isinstance(user, dict) else None)}
    if kind == "custom_emoji":
        emoji = str(_required(entity, "custom_emoji_id"))
        if not emoji.isdigit() or int(emoji) >= 2**63:
            raise bad('can\'t parse MessageEntity: Field "custom_emoji_id" must be a valid Number')
        return {"custom_emoji_id": emoji}
    if kind == "date_time":
        moment = {"unix_time": as_integer(_required(entity, "unix_time"))}
        style = entity.get("date_time_format")
        return {**moment, "date_time_format": str(style)} if style else moment
    if kind == "pre" and entity.get("language"):
        return {"language": str(entity["language"])}
    if kind not in PLAIN and kind not in FOUND:
        raise bad("can't parse MessageEntity: Unsupported type specified")
    return {}


def _link(url: str) -> dict[str, Any]:
    user = linked_user(url)
    if user is not None:
        return {"user": user}
    try:
        return {"url": check_link(url)}
    except WrongLink as error:
        raise bad(f"entity URL '{url}' is invalid: {error}") from None


def _required(entity: Mapping[str, Any], name: str) -> Any:
    value = entity.get(name)
    if value is None:
        raise bad(f"can't parse MessageEntity: Can't find field \"{name}\"")
    return value


def _offsets(text: str) -> list[int]:
    offsets = [0]
    for c in text:
        offsets.append(offsets[-1] + 1 + (c > "\uffff"))
    return offsets
