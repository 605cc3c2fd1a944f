"""What the sandbox answers can be read by pyTelegramBotAPI and by aiogram."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import telebot.types

from sandbox.telegram import Telegram
from tests.sandbox.chatting import (
    ALICE,
    BOB,
    BOT,
    CHANNEL,
    GROUP,
    PHOTO,
    TEXT_FILE,
    VERA,
    Bot,
    inline,
)

AIOGRAM = """
import json, sys
import aiogram.types
for kind, value in json.load(sys.stdin):
    getattr(aiogram.types, kind).model_validate(value)
"""


def happenings(bot: Bot, telegram: Telegram) -> Iterator[tuple[str, Any]]:
    """Something of every type that the sandbox answers with."""
    button = inline({"text": "A", "callback_data": "a"})
    message = bot.say("see @bob <b>x</b>", parse_mode="HTML", reply_markup=button)
    yield "Message", message
    yield "User", bot.ok("getMe")
    yield "Message", bot.ok("sendPhoto", {"photo": PHOTO}, chat_id=ALICE, caption="c")
    document = bot.ok("sendDocument", {"document": TEXT_FILE}, chat_id=ALICE)
    yield "Message", document
    yield "File", bot.ok("getFile", file_id=document["document"]["file_id"])
    poll = bot.ok("sendPoll", chat_id=GROUP, question="q", options=["a", "b"], is_anonymous=False)
    yield "Message", poll
    post = telegram.post(BOT, CHANNEL, "news")["message_id"]
    forward = {"chat_id": ALICE, "from_chat_id": CHANNEL, "message_id": post}
    yield "Message", bot.ok("forwardMessage", **forward)
    yield "MessageId", bot.ok("copyMessage", **forward)
    yield "WebhookInfo", bot.ok("getWebhookInfo")
    for chat_id in (ALICE, GROUP, CHANNEL):
        yield "ChatFullInfo", bot.ok("getChat", chat_id=chat_id)
    bot.ok(
        "getUpdates",
        offset=1,
        allowed_updates=[
            "message",
            "edited_message",
            "channel_post",
            "callback_query",
            "inline_query",
            "chosen_inline_result",
            "poll",
            "poll_answer",
            "my_chat_member",
            "chat_member",
            "message_reaction",
        ],
    )
    _deeds(bot, telegram, message["message_id"], poll["message_id"])
    for update in bot.updates():
        yield "Update", update


def _deeds(bot: Bot, telegram: Telegram, message_id: int, poll_id: int) -> None:
    telegram.press(BOT, ALICE, ALICE, message_id, "a")
    telegram.react(BOT, ALICE, ALICE, message_id, "👍")
    mine = telegram.send(BOT, ALICE, ALICE, photo=PHOTO, reply_to=message_id)["message_id"]
    telegram.edit(BOT, ALICE, ALICE, mine, "caption")
    telegram.vote(BOT, GROUP, BOB, poll_id, [0])
    telegram.inline(BOT, BOB, "cats")
    telegram.member(BOT, GROUP, BOT, "administrator")
    for status in ("left", "member", "administrator", "restricted", "kicked"):
        telegram.member(BOT, GROUP, VERA, status)
    telegram.block(BOT, BOB)
    telegram.migrate(BOT, GROUP)
    bot.ok("pinChatMessage", chat_id=ALICE, message_id=mine)


def test_telebot_reads_everything(bot: Bot, telegram: Telegram) -> None:
    """pyTelegramBotAPI finds in every object the fields that its type requires."""
    seen = set()
    for kind, value in happenings(bot, telegram):
        assert getattr(telebot.types, kind).de_json(value) is not None
        seen |= set(value) if kind == "Update" else {kind}
    assert {"callback_query", "message_reaction", "poll_answer", "chat_member"} <= seen
    assert {"inline_query", "my_chat_member", "edited_message", "poll", "message"} <= seen


def test_aiogram_reads_everything(bot: Bot, telegram: Telegram) -> None:
    """Aiogram does so too, in a process of its own, since it takes seconds to import."""
    values = json.dumps(list(happenings(bot, telegram)))
    done = subprocess.run(
        [sys.executable, "-c", AIOGRAM], input=values, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
