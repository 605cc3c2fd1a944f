"""The entities that Telegram finds by itself: commands, mentions, tags, links, addresses."""

from __future__ import annotations

import re

from sandbox.nesting import apart
from sandbox.spans import Span, order

TOP = (
    "com net org info biz edu gov mil int io me ru de uk fr it es nl pl eu us ca au jp cn in br ua "
    "by kz dev app ai co tv cc xyz site online store tech cloud page link live news blog wiki gg "
    "to be at ch se no fi dk cz sk hu ro bg gr pt ie tr il ir kr tw hk sg nz za mx ar cl su "
    "museum name pro mobi tel asia cat jobs travel рф бел укр"
)
PATH = r"(?::\d{1,5})?(?:[/?#][^\s<>\"«»]*)?"
PATTERNS = {
    "url": re.compile(
        r"(?<![\w@.+-])(?:"
        r"(?:https?|ftp|tonsite)://[^\s/?#<>\"«»:]+" + PATH + r"|tg://[^\s<>\"«»]+"
        r"|(?:[^\W_](?:[\w-]{0,62}[^\W_])?\.)+(?:" + TOP.replace(" ", "|") + r")(?![\w@-])"
        r"(?!\.\w)" + PATH + r")",
        re.IGNORECASE,
    ),
    "email": re.compile(
        r"(?<![\w.+@-])[A-Za-z0-9][A-Za-z0-9._+-]{0,63}@(?:[A-Za-z0-9][A-Za-z0-9-]{0,62}\.)+"
        r"[A-Za-z]{2,24}(?![\w-])"
    ),
    "mention": re.compile(r"(?<![\w@])@[A-Za-z0-9_]{3,32}(?![\w@])"),
    "bot_command": re.compile(
        r"(?<![\w/<>@])/[A-Za-z0-9_]{1,64}(?:@[A-Za-z0-9_]{3,32})?(?![\w/<>@])"
    ),
    "hashtag": re.compile(r"(?<![\w#])#(?=\w*[^\W\d])[\w\u00b7\u200c]{1,256}(?![\w#])"),
    "cashtag": re.compile(r"(?<![\w$])\$(?:1INCH|[A-Z]{1,8})(?![\w$])"),
    "phone_number": re.compile(r"(?<![\w+])\+\d{10,15}(?!\w)"),
}
TAIL = ".,:;!?'`…)]}"
PAIRS = {")": "(", "]": "[", "}": "{"}
HINT = re.compile(r"[/@#$+.:]")


def find(text: str) -> list[Span]:
    """Every entity that stands in a plain text, in order and apart from one another."""
    if HINT.search(text) is None:
        return []
    found = (
        Span(kind, match.start(), _end(text, kind, match))
        for kind, pattern in PATTERNS.items()
        for match in pattern.finditer(text)
    )
    return apart(order(found))


def _end(text: str, kind: str, match: re.Match[str]) -> int:
    """A link does not take the full stop, or the bracket opened before it, that follows it."""
    start, end = match.span()
    while kind == "url" and end > start and text[end - 1] in TAIL:
        closing = text[end - 1]
        opening = PAIRS.get(closing)
        if opening and text.count(opening, start, end) >= text.count(closing, start, end):
            break
        end -= 1
    return end
