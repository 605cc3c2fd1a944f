"""The legacy Markdown: *bold*, _italic_, `code`, ```pre```, [text](link), nothing nested."""

from __future__ import annotations

from sandbox.links import find_link, linked_user
from sandbox.marks import Reader, fail
from sandbox.spans import Span

MARKS = "_*`["
KINDS = {"_": "italic", "*": "bold", "`": "code"}


def parse_markdown(text: str) -> tuple[str, list[Span]]:
    """The text without its marks, and the spans that they made.

    Raises: Refused when an entity has no end.
    """
    reader = Reader(text)
    spans: list[Span] = []
    while not reader.done:
        here = reader.peek()
        if here == "\\" and reader.peek(1) and reader.peek(1) in MARKS:
            reader.at += 1
            reader.keep()
        elif here in MARKS:
            span = _read_entity(reader)
            spans += [span] if span else []
        elif here == "\\":
            reader.keep()
        else:
            reader.keep_until(MARKS + "\\")
    return "".join(reader.kept), spans


def _read_entity(reader: Reader) -> Span | None:
    begin, start, mark = reader.at, reader.length, reader.peek()
    closing = "]" if mark == "[" else mark
    language = ""
    if reader.starts("```"):
        closing = "```"
        reader.at += 3
        language = reader.read_language()
    else:
        reader.at += 1
    while not reader.done and not reader.starts(closing):
        reader.keep()
    if reader.done:
        fail(f"Can't find end of the entity starting at byte offset {reader.byte(begin)}")
    reader.at += len(closing)
    if mark == "[":
        return _link(reader, start)
    if reader.length == start:
        return None
    if closing == "```":
        return Span("pre", start, reader.length, {"language": language} if language else {})
    return Span(KINDS[mark], start, reader.length)


def _link(reader: Reader, start: int) -> Span | None:
    url = "".join(reader.kept[start:])
    if not url:
        return None
    if reader.peek() == "(":
        reader.at += 1
        url = reader.skip_until(")")
        reader.at += 1
    return link_span(url, start, reader.length)


def link_span(url: str, start: int, end: int) -> Span | None:
    """A mention for tg://user links, a text_link for links, nothing for what is none."""
    user = linked_user(url)
    if user is not None:
        return Span("text_mention", start, end, {"user": user})
    link = find_link(url)
    return Span("text_link", start, end, {"url": link}) if link else None
