"""The HTML of the Bot API: a dozen tags, four named references, attributes in quotes."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sandbox.answers import bad
from sandbox.markdown_text import link_span
from sandbox.marks import SPACES, Reader, fail
from sandbox.spans import Span, order

KINDS = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "s": "strikethrough",
    "strike": "strikethrough",
    "del": "strikethrough",
    "u": "underline",
    "ins": "underline",
    "tg-spoiler": "spoiler",
    "span": "spoiler",
    "a": "text_link",
    "tg-emoji": "custom_emoji",
    "pre": "pre",
    "code": "code",
    "blockquote": "blockquote",
}
NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}
REFERENCE = re.compile(r"&(?:#x([0-9a-fA-F]*)|#([0-9]*)|([A-Za-z]*));?")
TOKEN = re.compile(r"[A-Za-z0-9.-]*")
LAST_CODE = 0x10FFFF


@dataclass(slots=True)
class Open:
    """A start tag whose end tag has not come yet."""

    tag: str
    argument: str
    start: int


def parse_html(text: str) -> tuple[str, list[Span]]:
    """The text without its tags, and the spans that they made.

    Raises: Refused for a tag that is unknown, unclosed, or closed out of turn.
    """
    return _Parser(text).parse()


class _Parser:
    def __init__(self, text: str) -> None:
        self.reader = Reader(text)
        self.open: list[Open] = []
        self.spans: list[Span] = []

    def parse(self) -> tuple[str, list[Span]]:
        reader = self.reader
        while not reader.done:
            here = reader.peek()
            if here == "<":
                self._end_tag() if reader.peek(1) == "/" else self._start_tag()
            elif here == "&":
                reader.kept.append(_read_reference(reader))
            else:
                reader.keep_until("<&")
        if self.open:
            fail(f'Can\'t find end tag corresponding to start tag "{self.open[-1].tag}"')
        spans = [
            Span(s.kind, s.start, s.end) if s.kind == "code" and s.extra else s for s in self.spans
        ]
        return _whole("".join(reader.kept)), order(spans)

    def _start_tag(self) -> None:
        reader, begin = self.reader, self.reader.at
        reader.at += 1
        tag = reader.skip_until(SPACES + ">").lower()
        where = f"at byte offset {reader.byte(begin)}"
        if reader.done:
            fail(f"Unclosed start tag {where}")
        if tag not in KINDS:
            fail(f'Unsupported start tag "{tag}" {where}')
        argument = ""
        while (found := self._attribute(tag, where)) is not None:
            argument = _argument(tag, *found) or argument
        if tag == "span" and argument != "spoiler":
            fail(f'Tag "span" must have class "tg-spoiler" {where}')
        self.open.append(Open(tag, argument, reader.length))

    def _attribute(self, tag: str, where: str) -> tuple[str, str | None] | None:
        """The next attribute and its value; None, past the tag, when there are no more."""
        reader = self.reader
        reader.skip_while(SPACES)
        if reader.peek() == ">":
            reader.at += 1
            return None
        name = reader.skip_until(SPACES + "=>/\"'")
        if not name:
            fail(f'Empty attribute name in the tag "{tag}" {where}')
        reader.skip_while(SPACES)
        if reader.peek() == "=":
            reader.at += 1
            reader.skip_while(SPACES)
            value = self._value() if not reader.done else None
            if reader.done:
                fail(f"Unclosed start tag {where}")
            return name, value
        if reader.done:
            fail(f'Unclosed start tag "{tag}" {where}')
        return name, None

    def _value(self) -> str:
        reader, begin = self.reader, self.reader.at
        quote = reader.peek()
        if quote not in ("'", '"'):
            match = TOKEN.match(reader.text, begin)
            value = match[0] if match else ""
            reader.at += len(value)
            if reader.peek() not in (*SPACES, ">"):
                fail(f"Unexpected end of name token at byte offset {reader.byte(begin)}")
            return value.lower()
        reader.at += 1
        value = ""
        while not reader.done and reader.peek() != quote:
            if reader.peek() == "&":
                value += _read_reference(reader)
            else:
                value += reader.peek()
                reader.at += 1
        reader.at += 1
        return value

    def _end_tag(self) -> None:
        reader, begin = self.reader, self.reader.at
        where = f"at byte offset {reader.byte(begin)}"
        if not self.open:
            fail(f"Unexpected end tag {where}")
        reader.at += 2
        tag = reader.skip_until(SPACES + ">").lower()
        reader.skip_while(SPACES)
        if reader.peek() != ">":
            fail(f"Unclosed end tag {where}")
        reader.at += 1
        last = self.open.pop()
        if tag and tag != last.tag:
            fail(f'Unmatched end tag {where}, expected "</{last.tag}>", found "</{tag}>"')
        if reader.length > last.start:
            self._add(last)

    def _add(self, last: Open) -> None:
        kind, end, argument = KINDS[last.tag], self.reader.length, last.argument
        if kind == "text_link":
            url = argument or "".join(self.reader.kept[last.start :])
            span = link_span(url, last.start, end)
            self.spans += [span] if span else []
        elif kind in ("pre", "code"):
            self._add_code(kind, last.start, argument)
        elif kind == "custom_emoji":
            extra = {"custom_emoji_id": _emoji(argument)}
            self.spans.append(Span(kind, last.start, end, extra))
        elif argument == "1":
            self.spans.append(Span("expandable_blockquote", last.start, end))
        else:
            self.spans.append(Span(kind, last.start, end))

    def _add_code(self, kind: str, start: int, language: str) -> None:
        """<pre><code class="language-x"> in either order makes one span with a language."""
        end = self.reader.length
        span = Span(kind, start, end, {"language": language} if language else {})
        last = self.spans[-1] if self.spans else None
        if last and {last.kind, kind} == {"pre", "code"} and (last.start, last.end) == (start, end):
            extra = last.extra or span.extra
            if extra:
                self.spans[-1] = Span("pre", start, end, extra)
                return
        self.spans.append(span)


def _argument(tag: str, name: str, value: str | None) -> str:
    """What an attribute means to its tag, empty when it means nothing."""
    if (tag, name) == ("blockquote", "expandable"):
        return "1"
    value = value or ""
    if (tag, name) in (("a", "href"), ("tg-emoji", "emoji-id")):
        return value
    if (tag, name) == ("code", "class") and value.startswith("language-"):
        return value.removeprefix("language-")
    if (tag, name) == ("span", "class") and value.startswith("tg-"):
        return value.removeprefix("tg-")
    return ""


def _emoji(argument: str) -> str:
    digits = argument.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()) or not 0 < int(digits) < 2**63:
        fail("Invalid custom emoji identifier specified")
    return argument


def _read_reference(reader: Reader) -> str:
    """The character that a reference stands for, or the & itself when it is none."""
    match = REFERENCE.match(reader.text, reader.at)
    code = 0
    named = None
    if match is not None:
        length = match.end() - match.start() - match[0].endswith(";")
        if match[3] is not None:
            named = NAMED.get(match[3])
        elif length < 10:
            code = int(match[1] or "0", 16) if match[1] is not None else int(match[2] or "0")
    if match is None or (named is None and not 0 < code < LAST_CODE):
        reader.at += 1
        return "&"
    reader.at = match.end()
    return named or chr(code)


def _whole(text: str) -> str:
    """Two halves of a surrogate pair make one character; a lone half is an error."""
    try:
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        raise bad(
            "Text contains invalid Unicode characters after decoding HTML entities, "
            "check for unmatched surrogate code units"
        ) from None
