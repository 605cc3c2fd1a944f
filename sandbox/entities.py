"""Text with entities as Telegram sends it: parsed, cleaned, and with the links it finds itself."""

from __future__ import annotations

from typing import Any

from sandbox.answers import Json, bad
from sandbox.discovery import add_found
from sandbox.html_text import parse_html
from sandbox.markdown_text import parse_markdown
from sandbox.markdown_v2_text import parse_markdown_v2
from sandbox.spans import Span, give, trim
from sandbox.stated import read_entities

LONGEST_INPUT = 32_768
PARSERS = {
    "html": parse_html,
    "markdown": parse_markdown,
    "markdownv2": parse_markdown_v2,
}


def format_text(
    text: str, parse_mode: str = "", stated: Any = None, *, people: dict[int, Json] | None = None
) -> tuple[str, list[Json]]:
    """The text without its marks, and its entities with UTF-16 offsets.

    `stated` is the value of an entities parameter, used when there is no parse mode.
    Raises: Refused, in Telegram's words.
    """
    if len(text.encode()) > LONGEST_INPUT:
        raise bad("text is too long")
    text, spans = _parse(_clean(text), parse_mode.strip().lower(), stated)
    text, spans = trim(text, spans)
    return text, give(text, add_found(text, spans), people or {})


def _parse(text: str, mode: str, stated: Any) -> tuple[str, list[Span]]:
    if mode in ("", "none"):
        return text, read_entities(stated, text)
    parser = PARSERS.get(mode)
    if parser is None:
        raise bad("unsupported parse_mode")
    return parser(text)


def _clean(text: str) -> str:
    """Carriage returns go, other control characters become spaces."""
    if text.isprintable():
        return text
    kept = (c if c >= " " or c == "\n" else " " for c in text if c != "\r")
    return "".join(kept)
