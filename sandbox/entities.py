"""Text with entities as Telegram sends it: parsed, cleaned, and with the links it finds itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sandbox.answers import Json, bad
from sandbox.discovery import find
from sandbox.html_text import parse_html
from sandbox.markdown_text import parse_markdown
from sandbox.markdown_v2_text import parse_markdown_v2
from sandbox.nesting import merge, settle
from sandbox.spans import Span, clean, give, trim
from sandbox.stated import read_entities

LONGEST_INPUT = 32_768
PARSERS: dict[str, Callable[[str], tuple[str, list[Span]]]] = {
    "html": parse_html,
    "markdown": parse_markdown,
    "markdownv2": parse_markdown_v2,
}
NOBODY: Mapping[int, Json] = {}


def format_text(
    text: str, parse_mode: str = "", stated: Any = None, *, people: Mapping[int, Json] = NOBODY
) -> tuple[str, list[Json]]:
    """The text without its marks, and its entities with UTF-16 offsets.

    `stated` is the value of an entities parameter, used when there is no parse mode; `people`
    are the users that may be mentioned by their id.
    Raises: Refused, in Telegram's words.
    """
    if len(text) > LONGEST_INPUT // 4 and len(text.encode()) > LONGEST_INPUT:
        raise bad("text is too long")
    text, spans = _parse(text, parse_mode.strip().lower(), stated)
    if stated and any(s.kind == "text_mention" and s.extra["user"] not in people for s in spans):
        raise bad("user not found")
    text, spans = clean(text, settle(spans))
    text, spans = trim(text, spans)
    spans = merge(spans, find(text))
    return text, give(text, spans, people) if spans else []


def _parse(text: str, mode: str, stated: Any) -> tuple[str, list[Span]]:
    if mode in ("", "none"):
        return text, read_entities(stated, text) if stated else []
    parser = PARSERS.get(mode)
    if parser is None:
        raise bad("unsupported parse_mode")
    return parser(text)
