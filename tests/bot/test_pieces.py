"""Long texts: cut where it hurts least, with their entities, as Telegram counts."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest

from bot.markup import Unreadable, read
from bot.pieces import LIMIT, Piece, split, units
from sandbox.entities import format_text

SAMPLES = [
    ("html", "a <b>bold <i>both</i></b> &lt;x&gt; &amp; <u>u</u><s>s</s> <code>c&quot;</code>"),
    ("html", '<a href="https://example.org/?a=1&amp;b=2">link</a> <tg-spoiler>x</tg-spoiler>'),
    (
        "html",
        '<pre><code class="language-py">print(1)</code></pre><span class="tg-spoiler">y</span>',
    ),
    ("html", "<blockquote expandable>q\nq</blockquote>\n<blockquote>r</blockquote> 😀<b>😀</b>"),
    ("html", '<tg-emoji emoji-id="5368324170671202286">👍</tg-emoji> and <pre>x</pre>'),
    ("MarkdownV2", r"*bold _both_* __under__ ~no~ ||secret|| \*\.\! `c\`o` 😀*😀*"),
    ("MarkdownV2", "```py\nprint\\(1\\)```\n```\nplain```\n[li*n*k](https://example.org/\\))"),
    (
        "MarkdownV2",
        ">quote\n>more\nafter\n**>fold\n>up||\nlast ![👍](tg://emoji?id=5368324170671202)",
    ),
    ("MarkdownV2", "_italic __both___"),
    ("MarkdownV2", r"my\_file\_name a\_b \_\_c\_\_ _d\_e_ [f\_g](https://example.org/a\_b) \h\1\я"),
    ("MarkdownV2", "```\nx\\\ny\n``` `a\\\nb\\я` *c*\\\nd [e](https://example.org/\\я)"),
    ("MarkdownV2", "```py x``` ```\r\ny``` *_*z*_*"),
    ("Markdown", "*bold* _italic_ `code` ```py\npre``` [link](https://example.org/) a||b~c"),
    ("Markdown", r"my\_file\_name a\_b \*c \`d \[e] f\.g\-h \\ \x"),
    ("Markdown", "*a_b\\* _c*d_ `e\\` ```py\nf\\``` [g*h](https://example.org/\\) ** j]"),
    ("Markdown", "[https://example.org/] [x](https://example.org/y"),
]


@pytest.mark.parametrize(("mode", "text"), SAMPLES)
def test_markup_is_read_as_telegram_reads_it(mode: str, text: str) -> None:
    """Each letter has the marks that the sandbox finds, which follows the server."""
    plain, entities = format_text(text, mode)
    theirs = Piece(plain, [mark for mark in entities if mark["type"] not in ("url", "mention")])
    ours = Piece(*read(text, mode))
    assert ours.text == theirs.text
    assert _marked([ours]) == _marked([theirs])


@pytest.mark.parametrize(
    ("mode", "text"),
    [
        ("html", "<b>x"),
        ("html", "<b>x</i>"),
        ("html", "<h1>x</h1>"),
        ("html", "<a href='x'"),
        ("html", "x<"),
        ("MarkdownV2", "*x"),
        ("MarkdownV2", "`x"),
        ("MarkdownV2", "```x`"),
        ("MarkdownV2", r"[x](z\)"),
        ("Markdown", "a_b"),
        ("Markdown", "*x"),
        ("Markdown", "[x"),
        ("Markdown", "```x`"),
        ("x", "y"),
    ],
)
def test_wrong_markup_is_left_to_telegram(mode: str, text: str) -> None:
    """It is not cut, and goes out as it is, so that Telegram's own words say what is wrong."""
    with pytest.raises(Unreadable):
        read(text, mode)
    long = text + "y" * 5000
    assert split(long, parse_mode=mode) == [Piece(long, None, mode)]


@pytest.mark.parametrize(
    ("mode", "part"),
    [
        ("html", "<a "),
        ("html", "<a href=''"),
        ("html", "<!--"),
        ("MarkdownV2", "]("),
        ("MarkdownV2", "![a]("),
        ("MarkdownV2", r"[a](\)"),
        ("Markdown", "[a]("),
        ("Markdown", "a`b*"),
    ],
)
def test_what_is_never_closed_takes_no_time(mode: str, part: str) -> None:
    """A long text of openings is read once, not again from each of them."""
    began = time.process_time()
    split(part * 12_000, parse_mode=mode)
    assert time.process_time() - began < 2


def test_what_is_open_is_not_searched_at_each_mark() -> None:
    """Many marks within many links that are open are read as fast as any others."""
    began = time.process_time()
    split("[" * 12_000 + "*" * 12_000, parse_mode="MarkdownV2")
    assert time.process_time() - began < 2


def test_an_escaped_underscore_is_one_in_each_piece() -> None:
    """Names with underscores come through a cut as they were meant, without marks."""
    pieces = split("word " * 900 + r"my\_file\_name", parse_mode="MarkdownV2")
    assert [piece.entities for piece in pieces] == [None, None]
    assert pieces[1].text.endswith("word my_file_name")


def test_what_fits_is_left_alone() -> None:
    """Up to 4096 units after the marks are read, the text goes out as it was given."""
    assert split("x" * LIMIT) == [Piece("x" * LIMIT)]
    marked = "<b>x</b>" * 1000
    assert split(marked, parse_mode="HTML") == [Piece(marked, None, "HTML")]


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ("p" * 3000 + "\n\n" + "q" * 500 + "\nr r " + "s" * 3000, 3000),
        ("p" * 1000 + "\n\n" + "q" * 2500 + "\n" + "r r " * 900, 3502),
        ("p" * 3000 + " " + "q" * 3000, 3000),
        ("p" * 5000, 4096),
        ("p" * 4096 + "\nq", 4096),
        ("😀" * 3000, 2048),
        ("x" + "😀" * 3000, 2048),
    ],
    ids=["paragraph", "line", "word", "anywhere", "exact", "surrogates", "half a pair"],
)
def test_where_a_text_is_cut(text: str, ends: int) -> None:
    """Between paragraphs, lines or words if that is past the middle, and never inside a letter."""
    pieces = [piece.text for piece in split(text)]
    assert len(pieces[0]) == ends
    assert "".join("".join(pieces).split()) == "".join(text.split())


def test_an_emoji_of_telegrams_own_is_not_cut() -> None:
    """It is several letters and one picture."""
    text = "x" * 4095 + "👨‍👩‍👧" + "y" * 10
    mark = {"type": "custom_emoji", "offset": 4095, "length": 8, "custom_emoji_id": "1"}
    first, second = split(text, entities=[mark])
    assert (first.text, first.entities) == ("x" * 4095, None)
    assert second.entities == [{**mark, "offset": 0}]


def test_a_caption_is_shorter_than_what_follows() -> None:
    """1024 units, then 4096."""
    pieces = split("word " * 1400, first=1024)
    assert [len(piece.text) for piece in pieces] == [1024, 4094, 1880]


def test_any_text_comes_through_whole() -> None:
    """Nothing but blanks at the cuts is lost, every letter keeps its marks, each piece fits."""
    rnd = random.Random(4)
    for _ in range(12):
        text = "".join(rnd.choices("ab😀ж \n", [5, 5, 3, 5, 2, 0.3], k=rnd.randrange(3000, 15000)))
        text = "x" + text + "x"
        marks: list[dict[str, Any]] = []
        for kind in ("bold", "italic", "text_link"):
            start, end = sorted(rnd.sample(range(len(text)), 2))
            offset, length = units(text[:start]), units(text[start:end])
            marks.append({"type": kind, "offset": offset, "length": length})
        pieces = split(text, entities=marks)
        assert all(units(piece.text) <= LIMIT for piece in pieces)
        assert _marked(pieces) == _marked([Piece(text, marks)])


def _marked(pieces: list[Piece]) -> list[tuple[str, frozenset[Any]]]:
    """Every letter that is no blank, with what marks it."""
    found = []
    for piece in pieces:
        at = 0
        for letter in piece.text:
            kinds = frozenset(
                tuple(sorted((k, v) for k, v in mark.items() if k not in ("offset", "length")))
                for mark in piece.entities or []
                if mark["offset"] <= at < mark["offset"] + mark["length"]
            )
            at += units(letter)
            if not letter.isspace():
                found.append((letter, kinds))
    return found
