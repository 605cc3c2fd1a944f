"""Who is in a chat, and what a bot sees of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sandbox.telegram import Impossible, Telegram
from tests.sandbox.chatting import (
    ALICE,
    BOB,
    BOT,
    CHANNEL,
    DAN,
    GROUP,
    VERA,
    Bot,
    inline,
)

BUTTON = inline({"text": "A", "callback_data": "a"})
TOO_OLD = "Bad Request: query is too old and response timeout expired or query ID is invalid"
Deed = Callable[[Telegram], Any]


def kinds(bot: Bot) -> list[str]:
    """The kinds of the updates that have come."""
    return [list(update)[1] for update in bot.updates()]


def test_those_who_left_or_blocked_are_out(bot: Bot, telegram: Telegram) -> None:
    """A person who left a group, blocked the bot, or whose group moved, must mend that first."""
    telegram.member(BOT, GROUP, BOB, "left")
    with pytest.raises(Impossible, match="Bob is not a member of Steady team"):
        telegram.send(BOT, GROUP, BOB, text="a")
    telegram.block(BOT, ALICE)
    with pytest.raises(Impossible, match="Alice has blocked the bot"):
        telegram.send(BOT, ALICE, ALICE, text="a")
    telegram.migrate(BOT, GROUP)
    with pytest.raises(Impossible, match="moved to the chat"):
        telegram.send(BOT, GROUP, ALICE, text="a")


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("hello", False),
        ("hello @sandbox_bot", True),
        ("/help@sandbox_bot", True),
        ("/help@SANDBOX_bot now", True),
        ("/help@other_bot", False),
        ("/help", False),
        ("well, /help", False),
    ],
)
def test_privacy_mode(bot: Bot, telegram: Telegram, text: str, seen: bool) -> None:
    """In a group a bot sees only what is meant for it."""
    telegram.send(BOT, GROUP, BOB, text=text)
    assert len(bot.updates()) == seen


def test_privacy_mode_after_the_bot_spoke(bot: Bot, telegram: Telegram) -> None:
    """A bare command is for the bot that wrote last; a reply to the bot always is."""
    message = bot.say(chat_id=GROUP)
    telegram.send(BOT, GROUP, BOB, text="/first")
    telegram.send(BOT, GROUP, BOB, text="/second")
    telegram.send(BOT, GROUP, BOB, text="answer", reply_to=message["message_id"])
    assert [u["message"]["text"] for u in bot.updates()] == ["/first", "answer"]


def test_administrators_see_all(bot: Bot, telegram: Telegram) -> None:
    """A bot that is an administrator, or in a channel, sees everything; one that left nothing."""
    telegram.member(BOT, GROUP, BOT, "administrator")
    telegram.send(BOT, GROUP, BOB, text="hello")
    telegram.post(BOT, CHANNEL, "news")
    assert kinds(bot) == ["my_chat_member", "message", "channel_post"]
    telegram.member(BOT, GROUP, BOT, "left")
    telegram.send(BOT, GROUP, BOB, text="hello")
    assert kinds(bot) == ["my_chat_member"]


def test_block(bot: Bot, telegram: Telegram) -> None:
    """Blocking and unblocking are told once each, with the old and the new standing."""
    telegram.block(BOT, ALICE)
    telegram.block(BOT, ALICE)
    telegram.block(BOT, ALICE, False)
    blocked, back = (update["my_chat_member"] for update in bot.updates())
    assert blocked["chat"]["id"] == blocked["from"]["id"] == ALICE
    assert blocked["old_chat_member"]["status"] == "member"
    assert blocked["new_chat_member"] == {
        "status": "kicked",
        "user": bot.telegram.bots()[0],
        "until_date": 0,
    }
    assert back["new_chat_member"]["status"] == "member"
    assert telegram.chats(BOT, ALICE)[0]["blocked"] is False


def test_coming_and_going(bot: Bot, telegram: Telegram) -> None:
    """Groups note who joins and leaves; chat_member needs rights and asking."""
    telegram.member(BOT, GROUP, DAN, "left")
    telegram.member(BOT, GROUP, DAN, "left")
    telegram.member(BOT, GROUP, DAN, "member")
    left, joined = (update["message"] for update in bot.updates())
    assert left["left_chat_member"]["id"] == DAN
    assert joined["new_chat_members"][0]["id"] == DAN
    telegram.member(BOT, GROUP, BOT, "administrator")
    bot.ok("getUpdates", offset=1, allowed_updates=["chat_member"])
    telegram.member(BOT, GROUP, VERA, "administrator")
    telegram.member(BOT, CHANNEL, VERA, "restricted")
    one, two = (update["chat_member"] for update in bot.updates()[-2:])
    assert one["new_chat_member"]["can_pin_messages"] is True
    assert two["new_chat_member"]["is_member"] is True
    assert telegram.feed()[-1]["kind"] == "members"


def test_the_bot_comes_and_goes(bot: Bot, telegram: Telegram) -> None:
    """The bot hears of its own standing, and sees its own arrival."""
    telegram.member(BOT, GROUP, BOT, "kicked")
    telegram.member(BOT, GROUP, BOT, "kicked")
    telegram.member(BOT, GROUP, BOT, "member")
    assert kinds(bot) == ["my_chat_member", "my_chat_member", "message"]
    assert telegram.history(BOT, GROUP)[-1]["new_chat_members"][0]["id"] == BOT


def test_migration_is_told_in_both_chats(bot: Bot, telegram: Telegram) -> None:
    """The old group tells where it went, the new one where it came from."""
    new = telegram.migrate(BOT, GROUP)
    old, fresh = (update["message"] for update in bot.updates())
    assert old["migrate_to_chat_id"] == new and old["chat"]["id"] == GROUP
    assert fresh["migrate_from_chat_id"] == GROUP and fresh["chat"]["id"] == new
    telegram.send(BOT, new, BOB, text="/hi@sandbox_bot")
    assert kinds(bot) == ["message"]
    with pytest.raises(Impossible, match="could move"):
        telegram.migrate(BOT, GROUP)
    moved = {chat["chat"]["id"]: chat["moved_to"] for chat in telegram.chats(BOT, BOB)}
    assert moved[GROUP] == new and moved[new] is None


def test_a_bot_leaves_by_itself(bot: Bot) -> None:
    """It hears of it, and is out; a private chat has no way out, nor has one that it is not in."""
    assert bot.ok("leaveChat", chat_id=GROUP) is True
    assert kinds(bot) == ["my_chat_member"]
    assert "bot is not a member" in bot.error("leaveChat", chat_id=GROUP)
    assert "can't be changed in private chats" in bot.error("leaveChat", chat_id=ALICE)
