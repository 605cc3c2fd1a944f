"""Polls and quizzes, and the people's votes."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.telegram import Impossible, Telegram
from tests.sandbox.chatting import ALICE, BOB, BOT, CHANNEL, GROUP, Bot, Json

POLL: Json = {"chat_id": GROUP, "question": "Tea?", "options": '["yes", "no"]'}


def test_poll(bot: Bot, telegram: Telegram) -> None:
    """A poll counts votes; who voted is told only when it is not anonymous."""
    message = bot.ok("sendPoll", **POLL)
    poll = message["poll"]
    assert poll["type"] == "regular" and poll["is_anonymous"] and poll["allows_revoting"]
    assert [option["text"] for option in poll["options"]] == ["yes", "no"]
    telegram.vote(BOT, GROUP, ALICE, message["message_id"], [1])
    telegram.vote(BOT, GROUP, BOB, message["message_id"], [1])
    telegram.vote(BOT, GROUP, ALICE, message["message_id"], [])
    updates = bot.updates()
    assert [list(update)[1] for update in updates] == ["poll"] * 3
    counts = [[o["voter_count"] for o in update["poll"]["options"]] for update in updates]
    assert counts == [[0, 1], [0, 2], [0, 1]]
    assert telegram.history(BOT, GROUP)[-1]["poll"]["total_voter_count"] == 1


def test_open_poll(bot: Bot, telegram: Telegram) -> None:
    """The votes of a poll that is not anonymous have names."""
    options = [{"text": "<b>a</b>", "text_parse_mode": "HTML"}, "b", "c"]
    message = bot.ok(
        "sendPoll",
        chat_id=GROUP,
        question="*q*",
        question_parse_mode="Markdown",
        options=options,
        is_anonymous=False,
        allows_multiple_answers=True,
    )
    assert message["poll"]["question_entities"][0]["type"] == "bold"
    assert message["poll"]["options"][0]["text_entities"][0]["type"] == "bold"
    telegram.vote(BOT, GROUP, BOB, message["message_id"], [2, 0])
    answer = bot.updates()[-1]["poll_answer"]
    assert answer["user"]["id"] == BOB and answer["option_ids"] == [0, 2]
    assert answer["option_persistent_ids"] == ["0", "2"]


def test_quiz(bot: Bot, telegram: Telegram) -> None:
    """A quiz has a right answer and takes one vote from everybody."""
    message = bot.ok(
        "sendPoll",
        **POLL,
        type="quiz",
        correct_option_id=1,
        explanation="<i>why</i>",
        explanation_parse_mode="HTML",
    )
    poll = message["poll"]
    assert poll["correct_option_ids"] == [1] and poll["explanation"] == "why"
    telegram.vote(BOT, GROUP, ALICE, message["message_id"], [0])
    with pytest.raises(Impossible, match="Alice has voted already"):
        telegram.vote(BOT, GROUP, ALICE, message["message_id"], [1])
    plain = bot.ok("sendPoll", **POLL, type="quiz", correct_option_ids="[0]")
    assert "explanation" not in plain["poll"]


@pytest.mark.parametrize(
    ("options", "params", "reason"),
    [
        ([0], {"is_closed": True}, "closed"),
        ([5], {}, "no such option"),
        ([0, 1], {}, "one answer only"),
    ],
)
def test_impossible_votes(
    bot: Bot, telegram: Telegram, options: list[int], params: Any, reason: str
) -> None:
    """A poll takes only the votes that it allows."""
    message = bot.ok("sendPoll", **POLL, **params)
    with pytest.raises(Impossible, match=reason):
        telegram.vote(BOT, GROUP, ALICE, message["message_id"], options)


@pytest.mark.parametrize(
    ("params", "description"),
    [
        ({"question": ""}, "poll question must be non-empty"),
        ({"question": "x" * 301}, "poll question length must not exceed 300"),
        ({"options": "{}"}, "expected an Array of String as options"),
        ({"options": "[]"}, "poll must have at least 1 option"),
        ({"options": ["a"] * 13}, "poll can't have more than 12 options"),
        ({"options": ["a", "b", "a"]}, "POLL_OPTION_DUPLICATE"),
        ({"options": ["a", ""]}, "poll options must be non-empty"),
        ({"options": ["a", "x" * 101]}, "poll options length must not exceed 100"),
        ({"type": "duel"}, "unsupported poll type specified"),
        ({"type": "quiz"}, "wrong correct option ID specified"),
        ({"type": "quiz", "correct_option_ids": [2]}, "wrong correct option ID specified"),
        (
            {"type": "quiz", "correct_option_ids": [0], "explanation": "x" * 201},
            "explanation is too long",
        ),
        (
            {"chat_id": CHANNEL, "is_anonymous": False},
            "non-anonymous polls can't be sent to channel chats",
        ),
    ],
)
def test_poll_errors(bot: Bot, params: Any, description: str) -> None:
    """A poll that cannot be sent is refused."""
    assert bot.error("sendPoll", **{**POLL, **params}) == f"Bad Request: {description}"
