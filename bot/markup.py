"""Marked-up text, HTML and Markdown, read into a plain text and its entities."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any, TypeAlias

Entity: TypeAlias = dict[str, Any]
"""A MessageEntity, in UTF-16 units."""

TAGS = {
    **dict.fromkeys(("b", "strong"), "bold"),
    **dict.fromkeys(("i", "em"), "italic"),
    **dict.fromkeys(("u", "ins"), "underline"),
    **dict.fromkeys(("s", "strike", "del"), "strikethrough"),
    "tg-spoiler": "spoiler",
    "span": "spoiler",
    "a": "text_link",
    "code": "code",
    "pre": "pre",
    "blockquote": "blockquote",
    "tg-emoji": "custom_emoji",
}
SIGNS = {
    "*": "bold",
    "__": "underline",
    "_": "italic",
    "~": "strikethrough",
    "||": "spoiler",
}
TOKENS = re.compile(
    r"\\(?P<escaped>[\x01-~])|```(?P<pre>(?:\\.|[^\\])*?)```|`(?!``)(?P<code>(?:\\.|[^`\\])*)`"
    r"|(?P<open>!?\[)|\]\((?P<url>(?:\\.|[^)\\])*)\)|(?P<unclosed>`|\]\()"
    r"|(?P<quote>^(?:\*\*)?>)|(?P<line>\n(?!>)|\Z)|(?P<sign>\|\||__|[*_~])",
    re.MULTILINE | re.DOTALL,
)
OLD_TOKENS = re.compile(
    r"\\(?P<escaped>[_*`\[])|```(?P<pre>.*?)```|`(?!``)(?P<code>[^`]*)`"
    r"|\[(?P<named>[^\]]*)\](?:\((?P<url>[^)]*)\)?)?"
    r"|(?P<sign>[*_])(?P<inside>.*?)(?P=sign)|(?P<unclosed>[_*`\[])",
    re.DOTALL,
)
"""Where nothing is nested, and a backslash within an entity is only that."""
ESCAPED = re.compile(r"\\([\x01-~])")
LANGUAGE = re.compile(r"(?:([^ \t\r\n\0\v`]+)(?=[ \t\r\n\0\v]))?(?:\r\n|\n\r|[\r\n])?")
"""The language of code, when a blank follows it, and the end of its line."""
EMOJI = "tg://emoji?id="


class Unreadable(ValueError):
    """The markup is not as it must be, or beyond what is read here."""


def read(text: str, mode: str) -> tuple[str, list[Entity]]:
    """The text without its marks, and its entities. Raises Unreadable."""
    reader = READERS.get(mode.lower())
    if reader is None:
        raise Unreadable(f"{mode} cannot be read")
    return reader(text)


class Draft:
    """A plain text in the making, with the entities that are open and those that are over."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.length = 0
        self.open: list[tuple[str, int, Entity]] = []
        """The mark that must close it, where it began, and the entity."""
        self.entities: list[Entity] = []

    def within(self, mark: str) -> bool:
        """Whether this mark ends the entity that began last."""
        return bool(self.open) and self.open[-1][0] == mark

    def add(self, text: str) -> None:
        """Go on with the text."""
        self.pieces.append(text)
        self.length += len(text.encode("utf-16-le", "surrogatepass")) // 2

    def begin(self, mark: str, kind: str, **extra: Any) -> None:
        """An entity begins."""
        self.open.append((mark, self.length, {"type": kind, **extra}))

    def end(self, mark: str, **extra: Any) -> None:
        """The entity that began last is over. Raises Unreadable when another one is to end."""
        if not self.open or self.open[-1][0] != mark:
            raise Unreadable(f"{mark} closes nothing")
        _, start, entity = self.open.pop()
        place = {"offset": start, "length": self.length - start}
        if place["length"]:
            self.entities.append({**entity, **extra, **place})

    def finish(self) -> tuple[str, list[Entity]]:
        """The text and its entities, in their order. Raises Unreadable for one that is open."""
        if self.open:
            raise Unreadable(f"{self.open[-1][0]} is not closed")
        order = sorted(self.entities, key=lambda e: (e["offset"], -e["length"]))
        return "".join(self.pieces), order


class Html(HTMLParser):
    """Telegram's HTML."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.draft = Draft()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An entity begins; the code inside a pre only names the language."""
        given = {name: value or "" for name, value in attrs}
        kind = TAGS.get(tag)
        if kind is None or (tag == "span" and given.get("class") != "tg-spoiler"):
            raise Unreadable(f"<{tag}> is none of Telegram's tags")
        extra: Entity = {}
        if tag == "a":
            extra["url"] = given.get("href", "")
        elif tag == "tg-emoji":
            extra["custom_emoji_id"] = given.get("emoji-id", "")
        elif "expandable" in given:
            kind = "expandable_blockquote"
        elif tag == "code" and self.draft.open and self.draft.open[-1][0] == "pre":
            language = given.get("class", "").removeprefix("language-")
            self.draft.open[-1][2].update({"language": language} if language else {})
            kind = ""
        self.draft.begin(tag, kind, **extra)

    def handle_endtag(self, tag: str) -> None:
        """The entity is over."""
        self.draft.end(tag)

    def handle_data(self, data: str) -> None:
        """Text between the tags."""
        self.draft.add(data)


def read_html(text: str) -> tuple[str, list[Entity]]:
    """Read HTML."""
    parser = Html()
    parser.feed(text)
    # To close it would read the rest again from each "<" of a tag that has no end.
    if "<" in parser.rawdata:
        raise Unreadable("a tag is not closed")
    parser.close()
    plain, entities = parser.draft.finish()
    return plain, [entity for entity in entities if entity["type"]]


def read_markdown(text: str) -> tuple[str, list[Entity]]:
    """Read MarkdownV2."""
    return _read(text, TOKENS, _take)


def read_old_markdown(text: str) -> tuple[str, list[Entity]]:
    """Read Markdown, which has less."""
    return _read(text, OLD_TOKENS, _take_old)


def _read(
    text: str, tokens: re.Pattern[str], take: Callable[[Draft, re.Match[str]], None]
) -> tuple[str, list[Entity]]:
    draft, at = Draft(), 0
    for token in tokens.finditer(text):
        draft.add(text[at : token.start()])
        take(draft, token)
        at = token.end()
    draft.add(text[at:])
    return draft.finish()


def _take(draft: Draft, token: re.Match[str]) -> None:
    kind, said = token.lastgroup or "", token[0]
    if kind == "escaped":
        draft.add(token["escaped"])
    elif kind in ("pre", "code"):
        _take_code(draft, kind, token[kind], escapes=True)
    elif kind == "open":
        draft.begin("[", "")
    elif kind == "url":
        url = ESCAPED.sub(r"\1", token["url"])
        emoji = {"type": "custom_emoji", "custom_emoji_id": url.removeprefix(EMOJI)}
        draft.end("[", **(emoji if url.startswith(EMOJI) else {"type": "text_link", "url": url}))
    elif kind == "sign":
        _take_sign(draft, token)
    elif kind in ("quote", "line"):
        _take_line(draft, kind, said)
    else:
        raise Unreadable(f"{said} is not closed")


def _take_old(draft: Draft, token: re.Match[str]) -> None:
    kind = token.lastgroup or ""
    if kind == "escaped":
        draft.add(token["escaped"])
    elif kind in ("pre", "code"):
        _take_code(draft, kind, token[kind], escapes=False)
    elif kind in ("named", "url"):
        draft.begin("[", "text_link", url=token[kind])
        draft.add(token["named"])
        draft.end("[")
    elif kind == "inside":
        draft.begin(token["sign"], SIGNS[token["sign"]])
        draft.add(token["inside"])
        draft.end(token["sign"])
    else:
        raise Unreadable(f"{token[0]} is not closed")


def _take_sign(draft: Draft, token: re.Match[str]) -> None:
    """A sign ends what it began; the one at the end of a quote folds that up."""
    sign, follows = token[0], token.string[token.end() : token.end() + 2]
    if draft.within(sign):
        draft.end(sign)
    elif sign == "||" and draft.within(">") and follows[:1] in ("", "\n") and follows != "\n>":
        draft.open[-1][2]["type"] = "expandable_blockquote"
    else:
        draft.begin(sign, SIGNS[sign])


def _take_line(draft: Draft, kind: str, said: str) -> None:
    """Lines that begin with > are one quote, up to the first that does not."""
    if kind == "quote":
        if not draft.within(">"):
            draft.begin(">", "blockquote")
        return
    if draft.within(">"):
        draft.end(">")
    draft.add(said)


def _take_code(draft: Draft, kind: str, inside: str, *, escapes: bool) -> None:
    """What stands between the marks of code, of which a pre may name its language."""
    named = LANGUAGE.match(inside) if kind == "pre" else None
    language, code = (named[1], inside[named.end() :]) if named else (None, inside)
    draft.begin("`", kind, **({"language": language} if language else {}))
    draft.add(ESCAPED.sub(r"\1", code) if escapes else code)
    draft.end("`")


READERS: dict[str, Callable[[str], tuple[str, list[Entity]]]] = {
    "html": read_html,
    "markdownv2": read_markdown,
    "markdown": read_old_markdown,
}
