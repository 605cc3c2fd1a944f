"""Texts become entities, or errors, exactly as Telegram's."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.entities import format_text
from tests.sandbox.reading import USER, Entity, extras, read, refusal


@pytest.mark.parametrize(
    ("marked", "text", "entities"),
    [
        ("<b>a</b> <strong>b</strong>", "a b", [("bold", 0, 1), ("bold", 2, 1)]),
        ("<i>a</i><em>b</em>", "ab", [("italic", 0, 2)]),
        ("<u>a</u> <ins>b</ins>", "a b", [("underline", 0, 1), ("underline", 2, 1)]),
        ("<s>a</s> <del>b</DEL>", "a b", [("strikethrough", 0, 1), ("strikethrough", 2, 1)]),
        ("<tg-spoiler>a</tg-spoiler>", "a", [("spoiler", 0, 1)]),
        ('<span class="tg-spoiler">a</span>', "a", [("spoiler", 0, 1)]),
        ("<code>a < b</code>".replace("< b", "&lt; b"), "a < b", [("code", 0, 5)]),
        ("<pre>a</pre>", "a", [("pre", 0, 1)]),
        ("<blockquote>a</blockquote>", "a", [("blockquote", 0, 1)]),
        ("<blockquote expandable>a</blockquote>", "a", [("expandable_blockquote", 0, 1)]),
        ('<blockquote expandable="">a</blockquote>', "a", [("expandable_blockquote", 0, 1)]),
        ("<b></b>a</b >".replace("a</b >", "a"), "a", []),
        ("\U0001f600 <b>x</b>", "\U0001f600 x", [("bold", 3, 1)]),
        ("<b>a</>b", "ab", [("bold", 0, 1)]),
        ("&lt;&gt;&amp;&quot;&#33;&#x1F600;&nbsp;&#0;", '<>&"!\U0001f600&nbsp;&#0;', []),
        ("<b>  a\n</b>  ", "  a", [("bold", 0, 3)]),
        ("  <b>a</b>", "a", [("bold", 0, 1)]),
        ("<b>a\r\nb</b>\tc", "a\nb c", [("bold", 0, 3)]),
    ],
)
def test_html(marked: str, text: str, entities: list[Entity]) -> None:
    """HTML tags become entities with offsets in UTF-16 code units."""
    assert read(marked, "HTML") == (text, entities)


@pytest.mark.parametrize(
    ("marked", "expected"),
    [
        ('<a href="http://x.com">l</a>', {"type": "text_link", "url": "http://x.com/"}),
        ("<a>x.com</a>", {"type": "text_link", "url": "http://x.com/"}),
        ("<a href = 'x.com?a&amp;b'>l</a>", {"type": "text_link", "url": "http://x.com/?a&b"}),
        ('<a href="tg://user?id=1001">l</a>', {"type": "text_mention", "user": USER}),
        ('<pre><code class="language-py">x</code></pre>', {"type": "pre", "language": "py"}),
        ('<code class="language-py"><pre>x</pre></code>', {"type": "pre", "language": "py"}),
        ('<code class="language-py">x</code>', {"type": "code"}),
        ('<b class="x" id>x</b>', {"type": "bold"}),
        ('<tg-emoji emoji-id="5">x</tg-emoji>', {"type": "custom_emoji", "custom_emoji_id": "5"}),
        ("<a href=x.com>l</a>", {"type": "text_link", "url": "http://x.com/"}),
    ],
)
def test_html_attributes(marked: str, expected: dict[str, Any]) -> None:
    """Attributes give links, mentions, languages and emoji."""
    assert extras(marked, "html") == [expected]


def test_strangers_and_wrong_links_are_left_out() -> None:
    """A mention of somebody unknown, or a link that is none, leaves plain text."""
    assert read('<a href="tg://user?id=5">l</a> <a href="no">m</a>', "HTML") == ("l m", [])


@pytest.mark.parametrize(
    ("marked", "reason"),
    [
        ("<script>a</script>", 'Unsupported start tag "script" at byte offset 0'),
        ("é<x>", 'Unsupported start tag "x" at byte offset 2'),
        ("<b", "Unclosed start tag at byte offset 0"),
        ("<b a", 'Unclosed start tag "b" at byte offset 0'),
        ("<b a=", "Unclosed start tag at byte offset 0"),
        ("<a href='x", "Unclosed start tag at byte offset 0"),
        ("<a ='x'>", 'Empty attribute name in the tag "a" at byte offset 0'),
        ("<a href=x_y>", "Unexpected end of name token at byte offset 8"),
        ("<span>a</span>", 'Tag "span" must have class "tg-spoiler" at byte offset 0'),
        ("a</b>", "Unexpected end tag at byte offset 1"),
        ("<b>a</b", "Unclosed end tag at byte offset 4"),
        (
            "<b><i>test</b></i>",
            'Unmatched end tag at byte offset 10, expected "</i>", found "</b>"',
        ),
        ("<b>a", 'Can\'t find end tag corresponding to start tag "b"'),
        (
            '<tg-emoji emoji-id="9999999999999999999">x</tg-emoji>',
            "Invalid custom emoji identifier specified",
        ),
    ],
)
def test_html_errors(marked: str, reason: str) -> None:
    """HTML that cannot be read is refused with the offset in bytes."""
    assert refusal(marked, "HTML") == f"Bad Request: can't parse entities: {reason}"


def test_html_surrogates() -> None:
    """Two references to the halves of a surrogate pair make a character, one alone an error."""
    assert read("&#55357;&#56832;", "HTML") == ("\U0001f600", [])
    assert "unmatched surrogate code units" in refusal("&#55357;", "HTML")


def test_parse_modes() -> None:
    """The mode is read without regard to case; an unknown one is refused."""
    assert read("<b>a</b>", "hTmL") == ("a", [("bold", 0, 1)])
    assert read("<b>a</b>", "none")[0] == "<b>a</b>"
    assert refusal("a", "INVALID") == "Bad Request: unsupported parse_mode"
    assert refusal("я" * 20_000) == "Bad Request: text is too long"


@pytest.mark.parametrize(
    ("text", "entities"),
    [
        ("/start@some_bot x", [("bot_command", 0, 15)]),
        ("a/b /c/d <e> x@/f", []),
        ("hi @alice, @bob @al", [("mention", 3, 6), ("mention", 11, 4)]),
        ("#тег #1 #a1", [("hashtag", 0, 4), ("hashtag", 8, 3)]),
        ("$USD $usd", [("cashtag", 0, 4)]),
        ("a.b@c.org.", [("email", 0, 9)]),
        ("+79991234567", [("phone_number", 0, 12)]),
        ("see https://a.b/c?d=(e).", [("url", 4, 19)]),
        ("(x.com/a), y.ru:80, z.py", [("url", 1, 7), ("url", 11, 7)]),
        ("tg://resolve?domain=a ftp://b.c", [("url", 0, 21), ("url", 22, 9)]),
        ("\U0001f600 @alice", [("mention", 3, 6)]),
        ("nothing here", []),
    ],
)
def test_found_entities(text: str, entities: list[Entity]) -> None:
    """Commands, mentions, tags, links, addresses and numbers are found in any text."""
    assert read(text) == (text, entities)


@pytest.mark.parametrize(
    ("marked", "entities"),
    [
        ("<b>ab</b><b>cd</b>", [("bold", 0, 4)]),
        ("<b>a <code>b</code> c</b>", [("bold", 0, 2), ("code", 2, 1), ("bold", 3, 2)]),
        ("<b>hi @bob!</b>", [("bold", 0, 3), ("mention", 3, 4), ("bold", 3, 4), ("bold", 7, 1)]),
        ("<code>@bob</code>", [("code", 0, 4)]),
        ('<a href="x.com">@bob</a>', [("text_link", 0, 4)]),
        ("<blockquote>@bob</blockquote>", [("blockquote", 0, 4), ("mention", 0, 4)]),
        ("<blockquote>a @b</blockquote>ob", [("blockquote", 0, 4)]),
        ("<i><b>a</b></i>", [("bold", 0, 1), ("italic", 0, 1)]),
        ("<pre><b>a</b></pre>", [("pre", 0, 1)]),
        ("<b>a<i>b</i></b>", [("bold", 0, 1), ("bold", 1, 1), ("italic", 1, 1)]),
    ],
)
def test_overlaps(marked: str, entities: list[Entity]) -> None:
    """Bold and its like are cut around other entities, and none is left inside code."""
    assert read(marked, "HTML")[1] == entities


def test_stated_entities() -> None:
    """Entities that the bot states itself are kept; those that Telegram finds are found anew."""
    stated = [
        {"type": "bold", "offset": 0, "length": 2},
        {"type": "italic", "offset": 2, "length": 0},
        {"type": "hashtag", "offset": 0, "length": 2},
        {"type": "text_link", "offset": 3, "length": 1, "url": "tg://user?id=1001"},
        {"type": "pre", "offset": 4, "length": 1, "language": "py"},
    ]
    text, entities = format_text("\U0001f600 ab", "", stated, people={1001: USER})
    assert text == "\U0001f600 ab"
    assert entities == [
        {"type": "bold", "offset": 0, "length": 2},
        {"type": "text_mention", "offset": 3, "length": 1, "user": USER},
        {"type": "pre", "offset": 4, "length": 1, "language": "py"},
    ]


@pytest.mark.parametrize(
    ("entity", "reason"),
    [
        ({"offset": 100}, "entity begins after the end of the text at UTF-16 offset 100"),
        (
            {"length": 100},
            (
                "entity beginning at UTF-16 offset 0 ends after the end of the text "
                "at UTF-16 offset 100"
            ),
        ),
        ({"offset": -1}, "receive an entity with incorrect offset -1"),
        ({"length": -1}, "receive an entity with incorrect length -1"),
        ({"type": "nope"}, "can't parse MessageEntity: Unsupported type specified"),
        ({"type": None}, "can't parse MessageEntity: Can't find field \"type\""),
        ({"type": "text_link"}, "can't parse MessageEntity: Can't find field \"url\""),
        (
            {"type": "text_link", "url": "not-a-url"},
            "entity URL 'not-a-url' is invalid: Wrong HTTP URL",
        ),
        ({"type": "text_link", "url": ""}, "entity URL '' is invalid: URL host is empty"),
        (
            {"type": "text_link", "url": "ftp://x.com"},
            "entity URL 'ftp://x.com' is invalid: Unsupported URL protocol",
        ),
        (
            {"type": "text_link", "url": "x.com:0"},
            "entity URL 'x.com:0' is invalid: Wrong port number specified in the URL",
        ),
        ({"type": "text_mention", "user": {"id": 0}}, "user not found"),
        ({"type": "text_mention"}, "can't parse MessageEntity: Can't find field \"user\""),
        (
            {"type": "custom_emoji"},
            "can't parse MessageEntity: Can't find field \"custom_emoji_id\"",
        ),
        (
            {"type": "custom_emoji", "custom_emoji_id": "9999999999999999999"},
            'can\'t parse MessageEntity: Field "custom_emoji_id" must be a valid Number',
        ),
        (
            {"offset": 6, "length": 1},
            "entity begins in a middle of a UTF-16 symbol at byte offset 6",
        ),
    ],
)
def test_stated_entity_errors(entity: dict[str, Any], reason: str) -> None:
    """A stated entity that does not fit its text is refused."""
    stated = [{"type": "bold", "offset": 0, "length": 1, **entity}]
    assert refusal("hello\U0001f600", "", stated) == f"Bad Request: {reason}"


def test_stated_entities_must_be_objects() -> None:
    """Anything but a list of objects is refused."""
    assert refusal("a", "", "x") == "Bad Request: expected an Array of MessageEntity"
    assert "must be an Object" in refusal("a", "", ["x"])


def test_stated_emoji_and_links() -> None:
    """Custom emoji and tonsite links keep what they carry."""
    stated = [
        {"type": "custom_emoji", "offset": 0, "length": 1, "custom_emoji_id": "5"},
        {"type": "text_link", "offset": 1, "length": 1, "url": "tg:resolve?domain=a"},
    ]
    entities = format_text("ab", "", stated)[1]
    assert entities[0]["custom_emoji_id"] == "5"
    assert entities[1]["url"] == "tg://resolve?domain=a"
