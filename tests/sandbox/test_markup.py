"""Keyboards: what Telegram takes and refuses, and what people see under their input field."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.telegram import Telegram
from tests.sandbox.chatting import ALICE, BOB, BOT, GROUP, VERA, Bot, inline


def refusal(bot: Bot, markup: Any) -> str:
    """The reason for which a keyboard is refused."""
    return bot.error("sendMessage", chat_id=ALICE, text="a", reply_markup=markup)


@pytest.mark.parametrize(
    ("markup", "description"),
    [
        ("[]", "object expected as reply markup"),
        ({"inline_keyboard": "bad"}, 'field "inline_keyboard" must be of type Array'),
        ({"keyboard": "bad"}, 'field "keyboard" must be of type Array'),
        (
            {"inline_keyboard": ["bad"]},
            'field "inline_keyboard" of the InlineKeyboardMarkup must be an Array of Arrays',
        ),
        ({"force_reply": "yes"}, 'field "force_reply" must be of type Boolean'),
        ({"remove_keyboard": "yes"}, 'field "remove_keyboard" must be of type Boolean'),
        (
            {"keyboard": [["A"]], "one_time_keyboard": "yes"},
            'field "one_time_keyboard" must be of type Boolean',
        ),
        (
            {"inline_keyboard": [[5]]},
            "can't parse inline keyboard button: InlineKeyboardButton must be an Object",
        ),
        (
            {"keyboard": [[5]]},
            "can't parse keyboard button: KeyboardButton must be an Object",
        ),
        (
            {"keyboard": [[{"text": "chat", "request_chat": {}}]]},
            "can't parse keyboard button: Can't find field \"request_id\"",
        ),
        (
            {"keyboard": [[{"text": "app", "web_app": {"url": "http://x.com"}}]]},
            "keyboard button Web App URL 'http://x.com' is invalid: Only HTTPS links are allowed",
        ),
        (
            {"inline_keyboard": [[{"text": "A", "callback_data": "a"}] * 101]},
            "reply markup is too long",
        ),
        (
            {"inline_keyboard": [[{"text": "x" * 200, "callback_data": "a"}] * 60]},
            "reply markup is too long",
        ),
    ],
)
def test_markup_errors(bot: Bot, markup: Any, description: str) -> None:
    """A keyboard that cannot be read is refused."""
    assert refusal(bot, markup) == f"Bad Request: {description}"


@pytest.mark.parametrize(
    ("button", "description"),
    [
        ({"callback_data": "x"}, "can't parse inline keyboard button: Can't find field \"text\""),
        (
            {"text": [], "callback_data": "x"},
            'can\'t parse inline keyboard button: Field "text" must be of type String',
        ),
        (
            {"text": "A"},
            "can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard",
        ),
        (
            {"text": "A", "callback_data": ""},
            "can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard",
        ),
        ({"text": " ", "callback_data": "x"}, "BUTTON_TEXT_INVALID"),
        ({"text": "A", "callback_data": "x" * 65}, "BUTTON_DATA_INVALID"),
        ({"text": "A", "callback_data": "я" * 33}, "BUTTON_DATA_INVALID"),
        (
            {"text": "A", "callback_data": 5},
            'can\'t parse inline keyboard button: Field "callback_data" must be of type String',
        ),
        (
            {"text": "A", "url": "not-a-url"},
            "inline keyboard button URL 'not-a-url' is invalid: Wrong HTTP URL",
        ),
        (
            {"text": "A", "url": "ftp://example.com"},
            "inline keyboard button URL 'ftp://example.com' is invalid: Unsupported URL protocol",
        ),
        (
            {"text": "A", "web_app": {"url": "bad"}},
            "inline keyboard button Web App URL 'bad' is invalid: Only HTTPS links are allowed",
        ),
        ({"text": "A", "copy_text": {"text": ""}}, "BUTTON_COPY_TEXT_INVALID"),
        ({"text": "A", "copy_text": {"text": "x" * 257}}, "BUTTON_COPY_TEXT_INVALID"),
        ({"text": "A", "pay": True}, "BUTTON_TYPE_INVALID"),
        ({"text": "A", "callback_game": {}}, "BUTTON_TYPE_INVALID"),
    ],
)
def test_inline_button_errors(bot: Bot, button: dict[str, Any], description: str) -> None:
    """An inline button that Telegram would not show is refused."""
    assert refusal(bot, inline(button)) == f"Bad Request: {description}"


@pytest.mark.parametrize(
    ("button", "shown"),
    [
        ({"callback_data": "x" * 64}, {"callback_data": "x" * 64}),
        ({"url": "example.com"}, {"url": "http://example.com/"}),
        ({"url": "tg://user?id=1"}, {"url": "tg://user?id=1"}),
        ({"web_app": {"url": "https://x.com"}}, {"web_app": {"url": "https://x.com"}}),
        ({"copy_text": {"text": "a"}}, {"copy_text": {"text": "a"}}),
        ({"switch_inline_query": ""}, {"switch_inline_query": ""}),
        ({"style": "danger", "callback_data": "x"}, {"style": "danger", "callback_data": "x"}),
    ],
)
def test_inline_buttons(bot: Bot, button: dict[str, Any], shown: dict[str, Any]) -> None:
    """Every kind of inline button comes back with what it does."""
    message = bot.say(reply_markup=inline({"text": "A", **button}))
    assert message["reply_markup"] == inline({"text": "A", **shown})


@pytest.mark.parametrize("markup", [{}, {"inline_keyboard": []}, {"keyboard": [[]]}])
def test_empty_markup_is_none(bot: Bot, markup: Any) -> None:
    """A keyboard without buttons is none."""
    assert "reply_markup" not in bot.say(reply_markup=markup)


def keyboard_of(telegram: Telegram, person_id: int, place: int = 0) -> Any:
    """What a person sees under the input field of a chat."""
    keyboard = telegram.chats(BOT, person_id)[place]["keyboard"]
    return keyboard and {k: v for k, v in keyboard.items() if k != "message_id"}


def test_reply_keyboard(bot: Bot, telegram: Telegram) -> None:
    """A reply keyboard stays until it is replaced or removed."""
    rows: list[list[Any]] = [["A", {"text": 5}], [{"text": "Me", "request_contact": True}]]
    bot.say(
        reply_markup={
            "keyboard": rows,
            "resize_keyboard": True,
            "input_field_placeholder": "Well?",
        }
    )
    assert keyboard_of(telegram, ALICE) == {
        "keyboard": [[{"text": "A"}, {"text": "5"}], [{"text": "Me", "request_contact": True}]],
        "resize_keyboard": True,
        "input_field_placeholder": "Well?",
    }
    telegram.send(BOT, ALICE, ALICE, text="A")
    bot.say()
    assert keyboard_of(telegram, ALICE)
    bot.say(reply_markup={"remove_keyboard": True})
    assert keyboard_of(telegram, ALICE) is None
    assert telegram.history(BOT, ALICE)[-1]["keyboard"] == {"remove_keyboard": True}


def test_keyboards_for_one_time(bot: Bot, telegram: Telegram) -> None:
    """A one-time keyboard and a forced reply go with the next message of the person."""
    for markup in ({"keyboard": [["A"]], "one_time_keyboard": True}, {"force_reply": True}):
        bot.say(reply_markup=markup)
        assert keyboard_of(telegram, ALICE)
        telegram.send(BOT, ALICE, ALICE, text="A")
        assert keyboard_of(telegram, ALICE) is None


def test_request_buttons(bot: Bot, telegram: Telegram) -> None:
    """Buttons that ask for something keep what they ask for."""
    row = [
        {"text": "poll", "request_poll": {}},
        {"text": "users", "request_users": {"request_id": 1}},
        {"text": "app", "web_app": {"url": "https://x.com"}},
    ]
    bot.say(reply_markup={"keyboard": [row]})
    assert keyboard_of(telegram, ALICE)["keyboard"] == [row]


def test_selective_keyboards(bot: Bot, telegram: Telegram) -> None:
    """In a group a selective keyboard appears to those who are named or answered."""
    question = telegram.send(BOT, GROUP, BOB, text="/ask@sandbox_bot")
    markup = {"keyboard": [["A"]], "selective": True}
    bot.say(
        "you too, @vera and <a href='tg://user?id=1004'>Dan</a>",
        GROUP,
        parse_mode="HTML",
        reply_markup=markup,
        reply_to_message_id=question["message_id"],
    )
    seen = [keyboard_of(telegram, who, 1) is not None for who in (ALICE, BOB, VERA, 1004)]
    assert seen == [False, True, True, True]
    bot.say("all", GROUP, reply_markup={"remove_keyboard": True})
    assert keyboard_of(telegram, BOB, 1) is None
