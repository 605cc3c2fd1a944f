"""Both kinds of Markdown become entities, or errors, exactly as Telegram's."""

from __future__ import annotations

import pytest

from tests.sandbox.reading import USER, Entity, extras, read, refusal


@pytest.mark.parametrize(
    ("marked", "text", "entities"),
    [
        ("*a* _b_ `c`", "a b c", [("bold", 0, 1), ("italic", 2, 1), ("code", 4, 1)]),
        ("```py\nx\n```", "x", [("pre", 0, 1)]),
        ("```x```", "x", [("pre", 0, 1)]),
        ("```\r\nx```", "x", [("pre", 0, 1)]),
        (
            "[l](http://x.com) [x.com] [m](no)",
            "l x.com m",
            [("text_link", 0, 1), ("text_link", 2, 5)],
        ),
        (r"\*a\_ ** [](no)!", "*a_  (no)!", []),
        ("[l](x.com", "l", [("text_link", 0, 1)]),
        (r"a\b", r"a\b", []),
    ],
)
def test_markdown(marked: str, text: str, entities: list[Entity]) -> None:
    """The legacy Markdown knows five marks and no nesting."""
    assert read(marked, "Markdown") == (text, entities)


@pytest.mark.parametrize(
    ("marked", "byte"), [("*a", 0), ("a_b", 1), ("é[x", 2), ("```a`", 0), ("a `", 2)]
)
def test_markdown_errors(marked: str, byte: int) -> None:
    """A mark without its end is refused with its offset in bytes."""
    text = f"Can't find end of the entity starting at byte offset {byte}"
    assert refusal(marked, "markdown") == f"Bad Request: can't parse entities: {text}"


@pytest.mark.parametrize(
    ("marked", "text", "entities"),
    [
        ("*a* _b_ __c__", "a b c", [("bold", 0, 1), ("italic", 2, 1), ("underline", 4, 1)]),
        ("~a~ ||b|| `c`", "a b c", [("strikethrough", 0, 1), ("spoiler", 2, 1), ("code", 4, 1)]),
        (r"a\.\-\! \\", "a.-! \\", []),
        (r"`a_b*\``", "a_b*`", [("code", 0, 5)]),
        ("```py\na.b\n```", "a.b", [("pre", 0, 3)]),
        ("a\n>b\n>c\nd", "a\nb\nc\nd", [("blockquote", 2, 4)]),
        (">a||", "a", [("expandable_blockquote", 0, 1)]),
        (">a||\nb", "a\nb", [("expandable_blockquote", 0, 2)]),
        (">a\n>b", "a\nb", [("blockquote", 0, 3)]),
        ("**>a\n>*b*||", "a\nb", [("expandable_blockquote", 0, 3), ("bold", 2, 1)]),
        ("![x](tg://emoji?id=5)", "x", [("custom_emoji", 0, 1)]),
        ("[](x.com)a", "a", []),
    ],
)
def test_markdown_v2(marked: str, text: str, entities: list[Entity]) -> None:
    """MarkdownV2 knows every kind of entity."""
    assert read(marked, "MarkdownV2") == (text, entities)


def test_markdown_v2_links() -> None:
    """A link may hold an escaped bracket; one without brackets is its own text."""
    assert extras(r"[l](x.com/a\)b)", "MarkdownV2")[0]["url"] == "http://x.com/a)b"
    assert extras("[x\\.com]", "MarkdownV2")[0]["url"] == "http://x.com/"
    assert extras("[a](tg://user?id=1001)", "MarkdownV2") == [
        {"type": "text_mention", "user": USER}
    ]
    assert extras("```py\nx```", "MarkdownV2") == [{"type": "pre", "language": "py"}]


@pytest.mark.parametrize("character", list(".-!#+=|{}()>]"))
def test_markdown_v2_reserved(character: str) -> None:
    """A reserved character must be escaped."""
    reason = f"Character '{character}' is reserved and must be escaped with the preceding '\\'"
    assert refusal(f"a{character}b", "MarkdownV2") == f"Bad Request: can't parse entities: {reason}"


@pytest.mark.parametrize(
    ("marked", "reason"),
    [
        ("é *x", "Can't find end of Bold entity at byte offset 3"),
        ("_x", "Can't find end of Italic entity at byte offset 0"),
        ("__x", "Can't find end of Underline entity at byte offset 0"),
        ("~x", "Can't find end of Strikethrough entity at byte offset 0"),
        ("||x", "Can't find end of Spoiler entity at byte offset 0"),
        ("`x", "Can't find end of Code entity at byte offset 0"),
        ("```x", "Can't find end of Pre entity at byte offset 0"),
        ("```py\nx", "Can't find end of PreCode entity at byte offset 0"),
        ("[x", "Can't find end of TextUrl entity at byte offset 0"),
        ("![x", "Can't find end of CustomEmoji entity at byte offset 0"),
        ("*bold _italic\\_*", "Can't find end of Bold entity at byte offset 15"),
        (">*a\nb", "Can't find end of Bold entity at byte offset 1"),
        (">*a||\nb", "Can't find end of Bold entity at byte offset 1"),
        (">*a", "Can't find end of Bold entity at byte offset 1"),
        ("[x](y", "Can't find end of a URL at byte offset 4"),
        ("![x]", "Custom emoji entity must contain a tg://emoji URL"),
        ("![x](y", "Can't find end of a custom emoji URL at byte offset 5"),
        ("![x](y)", "Custom emoji URL must have an emoji identifier"),
    ],
)
def test_markdown_v2_errors(marked: str, reason: str) -> None:
    """An entity without its end is refused by its name and its offset in bytes."""
    assert refusal(marked, "MarkdownV2") == f"Bad Request: can't parse entities: {reason}"
