"""Nonsense in, an answer out: no call makes the sandbox fail."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest

from sandbox.methods import SIMULATED
from sandbox.telegram import Telegram
from tests.sandbox.chatting import ALICE, BOT, CHANNEL, GROUP, PHOTO, TOKEN, Bot

NAMES = (
    "action",
    "allowed_updates",
    "callback_query_id",
    "caption",
    "caption_entities",
    "chat_id",
    "commands",
    "correct_option_ids",
    "document",
    "entities",
    "explanation",
    "file_id",
    "from_chat_id",
    "inline_query_id",
    "language_code",
    "limit",
    "link_preview_options",
    "max_connections",
    "media",
    "message_id",
    "offset",
    "options",
    "parse_mode",
    "photo",
    "question",
    "reaction",
    "reply_markup",
    "reply_parameters",
    "results",
    "scope",
    "secret_token",
    "text",
    "type",
    "url",
    "user_id",
)
KEYS = (
    "callback_data",
    "chat_id",
    "command",
    "copy_text",
    "description",
    "emoji",
    "id",
    "inline_keyboard",
    "input_message_content",
    "keyboard",
    "length",
    "media",
    "message_id",
    "message_text",
    "offset",
    "request_chat",
    "text",
    "title",
    "type",
    "url",
    "user",
    "user_id",
    "web_app",
)
PLAIN: tuple[Any, ...] = (
    "",
    " ",
    "a",
    "<b>*_`[",
    "1",
    "-5",
    "[",
    "null",
    "HTML",
    "Markdown",
    "MarkdownV2",
    "photo",
    "emoji",
    "article",
    "chat",
    "bold",
    "text_link",
    "text_mention",
    "attach://f",
    0,
    1,
    -1,
    2**70,
    1.5,
    True,
    None,
    float("inf"),
    ALICE,
    GROUP,
    CHANNEL,
)


def thing(random: Random, depth: int) -> Any:
    """A value of some shape or other."""
    shape = random.randrange(6) if depth else 0
    if shape == 4:
        return [thing(random, depth - 1) for _ in range(random.randrange(4))]
    if shape == 5:
        return {random.choice(KEYS): thing(random, depth - 1) for _ in range(random.randrange(6))}
    return random.choice(PLAIN)


@pytest.mark.parametrize("method", SIMULATED)
def test_any_parameters_get_an_answer(bot: Bot, telegram: Telegram, method: str) -> None:
    """Whatever the parameters are, the answer is a result or a refusal, and is JSON."""
    random = Random(method)
    telegram.send(BOT, ALICE, ALICE, photo=PHOTO)
    bot.say(chat_id=GROUP)
    for _ in range(200):
        params = {name: thing(random, 4) for name in random.sample(NAMES, 12)}
        if random.random() < 0.7:
            params["chat_id"] = random.choice((ALICE, GROUP, CHANNEL))
        if random.random() < 0.3:
            params = {name: json.dumps(value) for name, value in params.items()}
        answer = telegram.call(TOKEN, method, params, {"f": PHOTO})
        assert answer.status in (200, 400, 403, 409)
        assert json.loads(json.dumps(answer.body))["ok"] is (answer.status == 200)
