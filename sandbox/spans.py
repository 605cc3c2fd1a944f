"""Stretches of text that carry a meaning, counted in characters, and their UTF-16 form."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sandbox.answers import Json

BLANK = " \n"
SPLITTABLE = ("bold", "italic", "underline", "strikethrough", "spoiler")
QUOTES = frozenset({"blockquote", "expandable_blockquote"})
CODE = frozenset({"code", "pre"})
FOUND_RANK = 50
RANK = {
    "blockquote": 0,
    "expandable_blockquote": 0,
    "pre": 10,
    "code": 20,
    "text_link": 49,
    "text_mention": 49,
    "bold": 90,
    "italic": 91,
    "underline": 92,
    "strikethrough": 93,
    "spoiler": 94,
    "custom_emoji": 99,
}


@dataclass(frozen=True, slots=True)
class Span:
    """An entity over text[start:end]; `extra` holds its url, language, user id or emoji id."""

    kind: str
    start: int
    end: int
    extra: dict[str, Any] = field(default_factory=dict)


def units(text: str) -> int:
    """The length of a text in UTF-16 code units."""
    if text.isascii():
        return len(text)
    return len(text) + sum(1 for c in text if c > "\uffff")


def order(spans: Iterable[Span]) -> list[Span]:
    """Spans as Telegram lists them: by start, the longer first, then by kind."""
    return sorted(spans, key=lambda s: (s.start, -s.end, RANK.get(s.kind, FOUND_RANK)))


def clean(text: str, spans: list[Span]) -> tuple[str, list[Span]]:
    """Text without carriage returns and with spaces for other control characters."""
    if text.isprintable():
        return text, spans
    if "\r" in text and spans:
        kept = [0]
        for c in text:
            kept.append(kept[-1] + (c != "\r"))
        spans = _move(spans, lambda place: kept[place])
    cleaned = (c if c >= " " or c == "\n" else " " for c in text if c != "\r")
    return "".join(cleaned), spans


def trim(text: str, spans: list[Span]) -> tuple[str, list[Span]]:
    """Text without white space around it; a span at the start keeps what it covers there."""
    text = text.rstrip(BLANK)
    bare = text.lstrip(BLANK)
    lead = len(text) - len(bare)
    if not spans:
        return bare, spans
    lead = min([lead, *(s.start for s in spans)])
    end = len(text)
    return text[lead:], order(_move(spans, lambda place: min(place, end) - lead))


def give(text: str, spans: list[Span], people: Mapping[int, Json]) -> list[Json]:
    """The spans as MessageEntity objects; a mention of a stranger is left out."""
    offsets = _offsets(text)
    entities = []
    for span in spans:
        start = offsets[span.start]
        extra = span.extra
        if span.kind == "text_mention":
            user = people.get(extra["user"])
            if user is None:
                continue
            extra = {"user": user}
        length = offsets[span.end] - start
        entities.append({"offset": start, "length": length, "type": span.kind, **extra})
    return entities


def _move(spans: list[Span], place: Callable[[int], int]) -> list[Span]:
    moved = (replace(s, start=place(s.start), end=place(s.end)) for s in spans)
    return [span for span in moved if span.start < span.end]


def _offsets(text: str) -> range | list[int]:
    """For each place in the text, how many UTF-16 code units stand before it."""
    if text.isascii() or max(text) <= "\uffff":
        return range(len(text) + 1)
    offsets = [0]
    for c in text:
        offsets.append(offsets[-1] + 1 + (c > "\uffff"))
    return offsets
