"""MarkdownV2: nested marks, quotes, spoilers, custom emoji, and many reserved characters."""

from __future__ import annotations

from dataclasses import dataclass, field

from sandbox.links import linked_emoji
from sandbox.markdown_text import link_span
from sandbox.marks import Reader, fail
from sandbox.spans import Span, order

RESERVED = frozenset("_*[]()~`>#+-=|{}.!\n")
SIMPLE = {"*": "bold", "~": "strikethrough", "[": "text_link"}
OPENERS = (("__", "underline"), ("_", "italic"), ("||", "spoiler"), ("![", "custom_emoji"))
CLOSERS = {
    "bold": "*",
    "underline": "__",
    "strikethrough": "~",
    "spoiler": "||",
    "code": "`",
    "pre": "```",
    "text_link": "]",
    "custom_emoji": "]",
}
NAMES = {
    "bold": "Bold",
    "italic": "Italic",
    "underline": "Underline",
    "strikethrough": "Strikethrough",
    "spoiler": "Spoiler",
    "code": "Code",
    "pre": "Pre",
    "text_link": "TextUrl",
    "custom_emoji": "CustomEmoji",
    "blockquote": "BlockQuote",
}


@dataclass(slots=True)
class Open:
    """An entity whose end has not come yet."""

    kind: str
    begin: int
    start: int
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What Telegram calls it in its errors."""
        return "PreCode" if self.extra else NAMES[self.kind]


def parse_markdown_v2(text: str) -> tuple[str, list[Span]]:
    """The text without its marks, and the spans that they made.

    Raises: Refused for a reserved character or an entity without an end.
    """
    return _Parser(text).parse()


class _Parser:
    def __init__(self, text: str) -> None:
        self.reader = Reader(text)
        self.open: list[Open] = []
        self.spans: list[Span] = []
        self.quoting = False
        self.line_start = True

    def parse(self) -> tuple[str, list[Span]]:
        reader = self.reader
        while not reader.done:
            if reader.peek() == "\\" and "\0" < reader.peek(1) <= "~":
                reader.at += 1
                self._plain()
            elif not self._marked():
                self._plain()
            elif self._closes():
                self._close()
            else:
                self._begin()
        self._finish()
        return "".join(reader.kept), order(self.spans)

    def _plain(self) -> None:
        here = self.reader.peek()
        if here != "\r":
            self.line_start = here == "\n"
        self.reader.keep()

    def _marked(self) -> bool:
        if self.open and self.open[-1].kind in ("code", "pre"):
            return self.reader.peek() == "`"
        return self.reader.peek() in RESERVED

    def _closes(self) -> bool:
        if not self.open:
            return False
        reader = self.reader
        if self.quoting and reader.peek() == "\n" and reader.peek(1) != ">":
            return True
        kind = self.open[-1].kind
        if kind == "italic":
            return reader.peek() == "_" and reader.peek(1) != "_"
        return kind in CLOSERS and reader.starts(CLOSERS[kind])

    def _begin(self) -> None:
        reader, begin = self.reader, self.reader.at
        here = reader.peek()
        if here == "\n":
            self._plain()
        elif here == "`":
            self._begin_code()
        elif here == ">":
            self._begin_quote()
        elif here in SIMPLE:
            reader.at += 1
            self._push(SIMPLE[here], begin)
        else:
            for mark, kind in OPENERS:
                if reader.starts(mark):
                    reader.at += len(mark)
                    self._push(kind, begin)
                    return
            self._refuse(here)

    def _begin_code(self) -> None:
        reader, begin = self.reader, self.reader.at
        if not reader.starts("```"):
            reader.at += 1
            self._push("code", begin)
            return
        reader.at += 3
        language = reader.read_language()
        self._push("pre", begin, {"language": language} if language else {})

    def _begin_quote(self) -> None:
        if not self.line_start:
            self._refuse(">")
        begin = self.reader.at
        self.reader.at += 1
        if not self.quoting:
            self.quoting = True
            self._push("blockquote", begin)

    def _push(self, kind: str, begin: int, extra: dict[str, str] | None = None) -> None:
        self.open.append(Open(kind, begin, self.reader.length, extra or {}))

    def _close(self) -> None:
        if self.reader.peek() == "\n" and self.open[-1].kind not in ("code", "pre"):
            self._close_quote()
            return
        last = self.open.pop()
        self.reader.at += len(CLOSERS.get(last.kind, "_"))
        if last.kind == "text_link":
            self._close_link(last)
        elif last.kind == "custom_emoji":
            self._close_emoji(last)
        else:
            self._add(last.kind, last.start, dict(last.extra))

    def _close_quote(self) -> None:
        kind = self._quote_kind(self.reader.text[: self.reader.at].rstrip("\r"))
        start = self.open.pop().start
        self.quoting = False
        self._plain()
        self._add(kind, start, {})

    def _quote_kind(self, before: str) -> str:
        """A quote that ends with || is one that people must unfold."""
        last = self.open[-1]
        if last.kind == "spoiler" and last.begin == len(before) - 2:
            self.open.pop()
            if self.open[-1].kind == "blockquote":
                return "expandable_blockquote"
        if self.open[-1].kind != "blockquote":
            self._unclosed()
        return "blockquote"

    def _close_link(self, last: Open) -> None:
        reader = self.reader
        url = "".join(reader.kept[last.start :])
        if reader.peek() == "(":
            url = self._read_url("a URL")
        if reader.length > last.start:
            span = link_span(url, last.start, reader.length)
            self.spans += [span] if span else []

    def _close_emoji(self, last: Open) -> None:
        if self.reader.peek() != "(":
            fail("Custom emoji entity must contain a tg://emoji URL")
        emoji = linked_emoji(self._read_url("a custom emoji URL"))
        if emoji is None:
            fail("Custom emoji URL must have an emoji identifier")
        self._add("custom_emoji", last.start, {"custom_emoji_id": emoji})

    def _read_url(self, what: str) -> str:
        reader = self.reader
        reader.at += 1
        begin, url = reader.at, []
        while not reader.done and reader.peek() != ")":
            if reader.peek() == "\\" and "\0" < reader.peek(1) <= "~":
                reader.at += 1
            url.append(reader.peek())
            reader.at += 1
        if reader.done:
            fail(f"Can't find end of {what} at byte offset {reader.byte(begin)}")
        reader.at += 1
        return "".join(url)

    def _add(self, kind: str, start: int, extra: dict[str, str]) -> None:
        if self.reader.length > start:
            self.spans.append(Span(kind, start, self.reader.length, extra))

    def _finish(self) -> None:
        if self.quoting:
            kind = "blockquote"
            last = self.open[-1]
            if last.kind == "spoiler" and last.begin == len(self.reader.text) - 2:
                self.open.pop()
                kind = "expandable_blockquote"
            if self.open[-1].kind == "blockquote":
                self._add(kind, self.open.pop().start, {})
        if self.open:
            self._unclosed()

    def _unclosed(self) -> None:
        last = self.open[-1]
        fail(f"Can't find end of {last.name} entity at byte offset {self.reader.byte(last.begin)}")

    @staticmethod
    def _refuse(character: str) -> None:
        fail(f"Character '{character}' is reserved and must be escaped with the preceding '\\'")
