"""Long texts in chats: each way of sending cuts them, with the buttons under the last piece."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.testing import ChatKit

TALKER = '''"""Talk much."""
from bot import Context, Plugin

plugin = Plugin(__name__)
TEXT = "word " * 1000


@plugin.command("returned")
def returned(ctx: Context) -> str:
    """Return it."""
    return TEXT


@plugin.command("kept", atomic=True)
def kept(ctx: Context) -> str:
    """Return it from an atomic handler."""
    return TEXT


@plugin.command("replied")
def replied(ctx: Context) -> None:
    """Reply with it."""
    sent = ctx.reply(f"<b>{TEXT}</b>", parse_mode="HTML", buttons=[[("More", "more")]])
    ctx.log.info("%s", sent.message_id)


@plugin.on("callback_query", data="more")
def more(ctx: Context) -> str:
    return TEXT


@plugin.command("picture")
def picture(ctx: Context) -> None:
    """Send a file with much to say of it."""
    ctx.reply(TEXT, document=("a.txt", b"a"), buttons=[[("More", "more")]])


@plugin.command("file")
def file(ctx: Context) -> None:
    """Send a file with little to say of it."""
    ctx.reply("Yours.", document=("a.txt", b"a"))
'''


@pytest.fixture
def kit(tmp_path: Path) -> Iterator[ChatKit]:
    """A bot that talks much."""
    (tmp_path / "talker.py").write_text(TALKER)
    with ChatKit([tmp_path]) as kit:
        yield kit


@pytest.mark.parametrize("command", ["returned", "kept"])
def test_a_returned_text_is_cut(kit: ChatKit, command: str) -> None:
    """In order, also after the commit of an atomic handler."""
    assert [len(text) for text in kit.bob.send(f"/{command}")] == [4094, 904]


def test_buttons_and_marks_of_a_long_reply(kit: ChatKit) -> None:
    """Both pieces are bold, the last has the buttons; an answer to a tap is cut as well."""
    kit.bob.send("/replied")
    first, last = kit.bob.messages
    assert "reply_markup" not in first and "reply_markup" in last
    assert [m["entities"][0]["length"] for m in (first, last)] == [4094, 904]
    kit.bob.tap("More")
    assert [len(text) for text in kit.bob.texts[2:]] == [4094, 904]


def test_a_caption_goes_on_in_a_message(kit: ChatKit) -> None:
    """The file has what fits, and the buttons are under the rest."""
    kit.bob.send("/picture")
    file, rest = kit.bob.messages
    assert (len(file["caption"]), len(rest["text"])) == (1024, 3974)
    assert "document" in file and kit.bob.buttons == ["More"] and "reply_markup" in rest
    kit.bob.send("/file")
    assert kit.bob.last == "Yours." and "document" in kit.bob.messages[-1]
