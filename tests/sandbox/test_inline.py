"""Inline queries, their results and the choices of people."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sandbox.telegram import Telegram
from tests.sandbox.chatting import (
    ALICE,
    BOB,
    BOT,
    GROUP,
    Bot,
    inline,
)

BUTTON = inline({"text": "A", "callback_data": "a"})
TOO_OLD = "Bad Request: query is too old and response timeout expired or query ID is invalid"
Deed = Callable[[Telegram], Any]


def test_inline_mode(bot: Bot, telegram: Telegram) -> None:
    """A person asks, the bot offers articles, the person's choice is sent by way of the bot."""
    query_id = telegram.inline(BOT, ALICE, "cats")
    query = bot.updates()[-1]["inline_query"]
    assert (query["id"], query["query"], query["chat_type"]) == (query_id, "cats", "sender")
    article = {
        "type": "article",
        "id": "1",
        "title": "Cat",
        "input_message_content": {"message_text": "<b>meow</b>", "parse_mode": "HTML"},
    }
    results = [article, {**article, "id": "2", "reply_markup": BUTTON}]
    assert bot.ok("answerInlineQuery", inline_query_id=query_id, results=results) is True
    assert telegram.feed()[-2]["results"] == results
    plain = telegram.choose(BOT, GROUP, BOB, query_id, "1")
    assert plain["via_bot"]["id"] == BOT and plain["text"] == "meow"
    message = telegram.choose(BOT, GROUP, BOB, query_id, "2")
    telegram.press(BOT, GROUP, ALICE, message["message_id"], "a")
    _, chosen, _, again, pressed = bot.updates()
    assert chosen["chosen_inline_result"] == {
        "result_id": "1",
        "from": telegram.cast()[1],
        "query": "cats",
    }
    inline_id = again["chosen_inline_result"]["inline_message_id"]
    assert pressed["callback_query"]["inline_message_id"] == inline_id
    assert "message" not in pressed["callback_query"]
    assert bot.ok("editMessageText", inline_message_id=inline_id, text="woof") is True
    assert telegram.history(BOT, GROUP)[-1]["text"] == "woof"
    telegram.member(BOT, GROUP, BOT, "administrator")
    bot.ok("deleteMessage", chat_id=GROUP, message_id=message["message_id"])
    assert bot.error("editMessageText", inline_message_id=inline_id, text="x") == (
        "Bad Request: message to edit not found"
    )


@pytest.mark.parametrize(
    ("results", "description"),
    [
        ("5", "expected an Array of inline query results"),
        ([{}] * 51, "RESULTS_TOO_MUCH"),
        ([5], "can't parse inline query result: InlineQueryResult must be an Object"),
        ([{"id": "1"}], "can't parse inline query result: Can't find field \"type\""),
        (
            [{"id": "1", "type": "gif"}],
            "the sandbox does not simulate inline query results of type gif",
        ),
        (
            [{"id": "1", "type": "article", "input_message_content": {"message_text": "a"}}],
            "can't parse inline query result: Can't find field \"title\"",
        ),
        (
            [{"id": "1", "type": "article", "title": "a", "input_message_content": {}}],
            "message text is empty",
        ),
        (
            [
                {
                    "id": "1",
                    "type": "article",
                    "title": "a",
                    "input_message_content": {"message_text": "a"},
                }
            ]
            * 2,
            "RESULT_ID_DUPLICATE",
        ),
        ([], TOO_OLD.removeprefix("Bad Request: ")),
    ],
)
def test_inline_errors(bot: Bot, results: Any, description: str) -> None:
    """Results that cannot be shown, or a query that is too old, are refused."""
    text = bot.error("answerInlineQuery", inline_query_id="1", results=results)
    assert text == f"Bad Request: {description}"


def test_old_queries_are_forgotten(bot: Bot, telegram: Telegram) -> None:
    """Of very many queries the oldest are dropped."""
    first = telegram.inline(BOT, ALICE, "0")
    for number in range(10_000):
        telegram.inline(BOT, ALICE, str(number))
    assert bot.error("answerInlineQuery", inline_query_id=first, results=[]) == TOO_OLD
