"""The pieces of a text that is too long for one message, its entities kept whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from bot.markup import Unreadable, read

LIMIT = 4096
"""UTF-16 units of a message's text, without its marks."""
CAPTION = 1024
"""The same of a caption."""
SHORT = LIMIT // 2
"""Letters that fit whatever they are: none has more than two units."""

BREAKS = ("\n\n", "\n", " ")
"""Where a text is cut at best: between paragraphs, lines, words."""

Entity: TypeAlias = dict[str, Any]
"""A MessageEntity, in UTF-16 units."""


class Piece(NamedTuple):
    """A part of a text; as marked up as the whole, or with entities."""

    text: str
    entities: list[Entity] | None = None
    parse_mode: str | None = None


def units(text: str) -> int:
    """The length of a text as Telegram counts it."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def split(
    text: str,
    *,
    parse_mode: str | None = None,
    entities: Sequence[Any] | None = None,
    first: int = LIMIT,
) -> list[Piece]:
    """The pieces, of which the first has at most `first` UTF-16 units and the rest 4096.

    What fits is given back as it is, and so is markup that cannot be read: Telegram says why.
    """
    given = [_as_dict(entity) for entity in entities] if entities else None
    whole = [Piece(text, given, parse_mode)]
    if units(text) <= first:
        return whole
    if parse_mode:
        try:
            text, given = read(text, parse_mode)
        except Unreadable:
            return whole
        if units(text) <= first:
            return whole
    marks = given or []
    found = [
        Piece(text[start:end], _within(text, start, end, marks) or None)
        for start, end in _cut(text, marks, first)
        if text[start:end].strip()
    ]
    return found or whole


def _as_dict(entity: Any) -> Entity:
    """An entity without what it lacks; telebot has objects."""
    plain = entity if isinstance(entity, Mapping) else entity.to_dict()
    return {name: value for name, value in plain.items() if value is not None}


def _cut(text: str, marks: list[Entity], room: int) -> Iterator[tuple[int, int]]:
    """Where the pieces begin and end, in letters."""
    start, whole = 0, _whole(text, marks)
    while units(text[start:]) > room:
        end = _fit(text, start, room)
        found, blank = _break(text, start, end)
        for first, last in whole:
            if first < found < last and first > start:
                found, blank = first, 0
        yield start, found
        start, room = found + blank, LIMIT
    yield start, len(text)


def _fit(text: str, start: int, room: int) -> int:
    """The end of as much text as there is room for."""
    end = min(len(text), start + room)
    while (over := units(text[start:end]) - room) > 0:
        end -= (over + 1) // 2
    return end


def _break(text: str, start: int, end: int) -> tuple[int, int]:
    """The best place to cut, and how many blank letters follow it; never before the middle."""
    for blank in BREAKS:
        if (found := text.rfind(blank, start + (end - start) // 2, end + 1)) >= 0:
            return found, len(blank)
    return end, 0


def _whole(text: str, marks: list[Entity]) -> list[tuple[int, int]]:
    """The entities that must not be cut in two, in letters: an emoji is one picture."""
    places = [
        (mark["offset"], mark["offset"] + mark["length"])
        for mark in marks
        if mark["type"] == "custom_emoji"
    ]
    return [(_letters(text, start), _letters(text, end)) for start, end in places]


def _letters(text: str, offset: int) -> int:
    """How many letters so many UTF-16 units are."""
    raw = text.encode("utf-16-le", "surrogatepass")[: 2 * offset]
    return len(raw.decode("utf-16-le", "surrogatepass"))


def _within(text: str, start: int, end: int, marks: list[Entity]) -> list[Entity]:
    """The entities of a piece: those that reach into it, as far as they do."""
    begin = units(text[:start])
    over = begin + units(text[start:end])
    found = []
    for mark in marks:
        first, last = max(mark["offset"], begin), min(mark["offset"] + mark["length"], over)
        if first < last:
            found.append({**mark, "offset": first - begin, "length": last - first})
    return found
