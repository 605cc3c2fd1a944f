"""A chat of the sandbox as a test file, and its Python."""

from __future__ import annotations

import ast

import pytest

from sandbox.account import SANDBOX_BOT as BOT
from sandbox.literals import literal
from sandbox.recording import write_test
from sandbox.telegram import File, Telegram
from tests.sandbox.serving import ALICE, TOKEN

BOB, GROUP, CHANNEL = 1002, -1001000000001, -1002000000001
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x05\0\0\0\x05\x08\x02\0\0\0"
KEYS = {"inline_keyboard": [[{"text": "Yes", "callback_data": "y"}]]}


@pytest.fixture
def telegram() -> Telegram:
    """A sandbox with one bot."""
    telegram = Telegram()
    telegram.call(TOKEN, "getMe", {})
    return telegram


def say(telegram: Telegram, text: str, chat: int = BOB, **params: object) -> int:
    """The bot writes; the message's number."""
    answer = telegram.call(TOKEN, "sendMessage", {"chat_id": chat, "text": text, **params})
    number: int = answer.body["result"]["message_id"]
    return number


def lines(telegram: Telegram, chat: int = BOB) -> list[str]:
    """The lines of the recorded test, which must be Python."""
    text = write_test(telegram.feed(0), BOT, chat)
    ast.parse(text)
    return [line.strip() for line in text.partition('said."""\n')[2].splitlines()]


def test_a_chat_with_a_button(telegram: Telegram) -> None:
    """Texts, buttons, toasts and edits, in their order; another chat is left out."""
    telegram.send(BOT, ALICE, ALICE, text="secret")
    telegram.send(BOT, BOB, BOB, text="/ask")
    number = say(telegram, "Tea?", reply_markup=KEYS)
    query = telegram.press(BOT, BOB, BOB, number, "y")
    change = {"chat_id": BOB, "message_id": number, "text": "Tea."}
    telegram.call(TOKEN, "editMessageText", change)
    telegram.call(TOKEN, "answerCallbackQuery", {"callback_query_id": query, "text": "Fine."})
    telegram.send(BOT, BOB, BOB, text="Hm")
    assert lines(telegram) == [
        'assert bob.send("/ask") == ["Tea?"]',
        'assert bob.buttons == ["Yes"]',
        'assert bob.tap("Yes") == "Fine."',
        'bob.expect("Tea.", exact=True)',
        'assert bob.send("Hm") == []',
    ]


def test_what_people_can_do_besides(telegram: Telegram) -> None:
    """Files, answers, edits, reactions, votes and blocks."""
    telegram.send(BOT, BOB, BOB, photo=File("a.png", PNG, "image/png"), caption="the sea")
    number = say(telegram, "Nice.")
    telegram.send(BOT, BOB, BOB, text="Thanks", reply_to=number)
    telegram.edit(BOT, BOB, BOB, number + 1, "Thank you")
    telegram.react(BOT, BOB, BOB, number, "👍")
    poll = {"chat_id": BOB, "question": "Tea?", "options": ["Yes", "No"], "is_anonymous": False}
    asked = telegram.call(TOKEN, "sendPoll", poll).body["result"]["message_id"]
    telegram.vote(BOT, BOB, BOB, asked, [1])
    telegram.block(BOT, BOB)
    assert lines(telegram) == [
        'assert bob.send_photo("the sea") == ["Nice."]',
        'assert bob.send("Thanks", reply_to="Nice.") == []',
        'assert bob.edit("Thank you") == []',
        'bob.react("👍")',
        'assert bob.texts[-1:] == ["Tea?"]',
        'bob.vote("No")',
        "bob.block()",
    ]


def test_a_group(telegram: Telegram) -> None:
    """Each deed is done in the group, by whom it was."""
    telegram.member(BOT, GROUP, BOT, "administrator")
    telegram.member(BOT, GROUP, BOB, "left")
    telegram.send(BOT, GROUP, ALICE, text="Bye")
    say(telegram, "He is gone.", GROUP)
    assert lines(telegram, GROUP) == [
        'group.make_bot("administrator")',
        "bob.leave(group)",
        'assert alice.send("Bye", to=group) == ["He is gone."]',
    ]


@pytest.mark.parametrize(
    "value",
    [
        "plain",
        'with "quotes" and \\ and\nlines',
        "long " * 60,
        "lines of a text\n" * 12,
        "\u2028\ud83d\0 odd 😀",
        ["a list", "of long texts " * 9],
        {"nested": {"list": [1, None, True, 2.5], "text": "x" * 120}},
    ],
)
def test_a_literal_is_the_value(value: object) -> None:
    """What is written is read back as it was, in lines that fit."""
    text = literal(value)
    assert ast.literal_eval(text) == value
    assert "x" * 120 in text or max(map(len, text.splitlines())) <= 100
