"""The entities that Telegram finds by itself: commands, mentions, tags, links, addresses."""

from __future__ import annotations

import re

from sandbox.spans import Span, order

LETTER = r"[^\W_]"
COMMAND = re.compile(r"(?<![\w/<>@])/([A-Za-z0-9_]{1,64})(@[A-Za-z0-9_]{3,32})?(?![\w/<>@])")
MENTION = re.compile(r"(?<![\w@])@[A-Za-z0-9_]{3,32}(?![\w@])")
HASHTAG = re.compile(r"(?<![\w#])#(?=\w*[^\W\d_]|\w*_)[\w\u00b7\u200c]{1,256}(?![\w#])")
CASHTAG = re.compile(r"(?<![\w$])\$(?:1INCH|[A-Z]{1,8})(?![\w$])")
EMAIL = re.compile(
    r"(?<![\w.+-])[A-Za-z0-9][A-Za-z0-9._+-]{0,63}@(?:[A-Za-z0-9][A-Za-z0-9-]*\.)+[A-Za-z]{2,24}"
    r"(?![\w-])"
)
PHONE = re.compile(r"(?<![\w+])\+\d{10,15}(?!\w)")
TOP = (
    "com net org info biz edu gov mil int io me ru de uk fr it es nl pl eu us ca au jp cn in br ua "
    "by kz dev app ai co tv cc xyz site online store tech cloud page link live news blog wiki gg "
    "to be at ch se no fi dk cz sk hu ro bg gr pt ie tr il ir kr tw hk sg nz za mx ar cl su "
    "museum name pro mobi tel asia cat jobs travel рф бел укр"
)
URL = re.compile(
    r"(?<![\w@.+-])(?:"
    r"(?:https?|ftp|tonsite)://(?:[^\s/?#<>\"«»]+)(?:[/?#][^\s<>\"«»]*)?"
    r"|tg://[^\s<>\"«»]+"
    r"|(?:[^\W_](?:[\w-]*[^\W_])?\.)+(?:" + "|".join(TOP.split()) + r")(?![\w-])"
    r"(?::\d{1,5})?(?:[/?#][^\s<>\"«»]*)?"
    r")",
    re.IGNORECASE,
)
TAIL = ".,:;!?'`…)]}"
PAIRS = {")": "(", "]": "[", "}": "{"}
HINTS = re.compile(r"[/@#$+.:]")
LINKS = (
    ("url", URL),
    ("email", EMAIL),
    ("mention", MENTION),
    ("bot_command", COMMAND),
    ("hashtag", HASHTAG),
    ("cashtag", CASHTAG),
    ("phone_number", PHONE),
)
CLOSED = frozenset({"code", "pre", "text_link", "text_mention", "custom_emoji"})


def find(text: str) -> list[Span]:
    """Every entity that stands in a plain text, in order and apart from one another."""
    if HINTS.search(text) is None:
        return []
    found: list[Span] = []
    for kind, pattern in LINKS:
        for match in pattern.finditer(text):
            end = _tail(text, match.start(), match.end()) if kind == "url" else match.end()
            span = Span(kind, match.start(), end)
            if not any(_overlap(span, other) for other in found):
                found.append(span)
    return order(found)


def add_found(text: str, spans: list[Span]) -> list[Span]:
    """Spans that were asked for together with those that Telegram finds between them."""
    found = find(text)
    if not found:
        return spans
    closed = [s for s in spans if s.kind in CLOSED or s.kind not in _MARKS]
    free = [s for s in found if not any(_overlap(s, other) for other in closed)]
    return order([*spans, *free])


_MARKS = frozenset(
    {
        "bold",
        "italic",
        "underline",
        "strikethrough",
        "spoiler",
        "blockquote",
        "expandable_blockquote",
        *CLOSED,
    }
)


def _overlap(one: Span, other: Span) -> bool:
    return one.start < other.end and other.start < one.end


def _tail(text: str, start: int, end: int) -> int:
    """A link does not take the full stop, or the bracket opened before it, that follows it."""
    while end > start and text[end - 1] in TAIL:
        closing = text[end - 1]
        opening = PAIRS.get(closing)
        if opening and text.count(opening, start, end) >= text.count(closing, start, end):
            break
        end -= 1
    return end
