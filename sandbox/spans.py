"""Stretches of text that carry a meaning, counted in characters, and their UTF-16 form."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sandbox.answers import Json

ORDER = (
    "expandable_blockquote blockquote pre code text_link text_mention custom_emoji bold italic "
    "underline strikethrough spoiler"
).split()
RANK = {kind: rank for rank, kind in enumerate(ORDER)}
SPLITTABLE = frozenset({"bold", "italic", "underline", "strikethrough", "spoiler"})
CODE = frozenset({"code", "pre"})


@dataclass(frozen=True, slots=True)
class Span:
    """An entity over text[start:end]; `extra` holds its url, language, user or emoji id."""

    kind: str
    start: int
    end: int
    extra: dict[str, Any] = field(default_factory=dict)


def units(text: str) -> int:
    """The length of a text in UTF-16 code units."""
    return len(text) + sum(1 for c in text if c > "\uffff") if not text.isascii() else len(text)


def order(spans: Iterable[Span]) -> list[Span]:
    """Spans as Telegram lists them: by start, the longer first, then by kind."""
    return sorted(spans, key=lambda s: (s.start, -s.end, RANK.get(s.kind, -1)))


def trim(text: str, spans: list[Span]) -> tuple[str, list[Span]]:
    """Text without white space around it, with its spans moved and cut to fit."""
    lead = len(text) - len(text.lstrip())
    text = text.strip()
    if not spans:
        return text, spans
    moved = (
        Span(s.kind, max(s.start - lead, 0), min(s.end - lead, len(text)), s.extra) for s in spans
    )
    return text, order(s for s in moved if s.start < s.end)


def give(text: str, spans: list[Span], people: dict[int, Json]) -> list[Json]:
    """The spans as MessageEntity objects; a mention of a stranger is left out."""
    if not spans:
        return []
    offsets = _offsets(text)
    entities = []
    for span in spans:
        entity: Json = {"offset": offsets[span.start]}
        entity["length"] = offsets[span.end] - entity["offset"]
        entity["type"] = span.kind
        entity.update(span.extra)
        if span.kind == "text_mention":
            user = people.get(span.extra["user"])
            if user is None:
                continue
            entity["user"] = user
        entities.append(entity)
    return entities


def _offsets(text: str) -> range | list[int]:
    """For each place in the text, how many UTF-16 code units stand before it."""
    if text.isascii() or max(text) <= "\uffff":
        return range(len(text) + 1)
    offsets = [0]
    for c in text:
        offsets.append(offsets[-1] + 1 + (c > "\uffff"))
    return offsets
