"""Messages by the bot: sent, forwarded, copied, edited, deleted, pinned."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.telegram import Person, Place, Telegram
from tests.sandbox.chatting import (
    ALICE,
    BOB,
    BOT,
    CHANNEL,
    DAN,
    GROUP,
    PHOTO,
    START,
    TOKEN,
    Bot,
    inline,
)

BUTTON = inline({"text": "A", "callback_data": "a"})
NOT_MODIFIED = (
    "Bad Request: message is not modified: specified new message content and reply markup are "
    "exactly the same as a current content and reply markup of the message"
)


def test_send_message(bot: Bot) -> None:
    """A sent message comes back as Telegram gives it."""
    assert bot.say("<b>hi</b>", parse_mode="HTML", reply_markup=BUTTON) == {
        "message_id": 2,
        "from": {
            "id": BOT,
            "is_bot": True,
            "first_name": "Sandbox bot",
            "username": "sandbox_bot",
        },
        "chat": {"id": ALICE, "type": "private", "first_name": "Alice", "username": "alice"},
        "date": int(START),
        "text": "hi",
        "entities": [{"offset": 0, "length": 2, "type": "bold"}],
        "reply_markup": BUTTON,
    }


@pytest.mark.parametrize(
    ("params", "description"),
    [
        ({}, "Bad Request: message text is empty"),
        ({"text": ""}, "Bad Request: message text is empty"),
        ({"text": "  \n"}, "Bad Request: text must be non-empty"),
        ({"text": "x" * 4097}, "Bad Request: message is too long"),
        ({"text": "a"}, "Bad Request: chat_id is empty"),
        ({"text": "a", "chat_id": ""}, "Bad Request: chat_id is empty"),
        ({"text": "a", "chat_id": 0}, "Bad Request: chat not found"),
        ({"text": "a", "chat_id": -1}, "Bad Request: chat not found"),
        ({"text": "a", "chat_id": "nobody"}, "Bad Request: chat not found"),
        ({"text": "a", "chat_id": "@nobody"}, "Bad Request: chat not found"),
        ({"text": "a", "chat_id": BOB}, "Forbidden: bot can't initiate conversation with a user"),
        ({"text": "a", "chat_id": BOT}, "Forbidden: bot can't send messages to bots"),
        (
            {"text": "a", "chat_id": ALICE, "message_thread_id": 9},
            "Bad Request: message thread not found",
        ),
        (
            {"text": "a", "chat_id": ALICE, "business_connection_id": "x"},
            "Bad Request: business connection not found",
        ),
        (
            {"text": "a", "chat_id": ALICE, "reply_parameters": {"message_id": 99}},
            "Bad Request: message to be replied not found",
        ),
        (
            {"text": "a", "chat_id": ALICE, "reply_to_message_id": 99},
            "Bad Request: message to be replied not found",
        ),
        (
            {"text": "a", "chat_id": ALICE, "reply_parameters": {"quote": "a"}},
            'Bad Request: can\'t find field "message_id"',
        ),
        (
            {"text": "a", "chat_id": ALICE, "reply_parameters": "5"},
            "Bad Request: object expected as reply parameters",
        ),
    ],
)
def test_send_message_errors(bot: Bot, params: dict[str, Any], description: str) -> None:
    """What Telegram does not send is refused in its words."""
    assert bot.error("sendMessage", **params) == description


def test_text_may_be_as_long_as_the_limit(bot: Bot) -> None:
    """4096 characters are counted after the marks are gone."""
    assert bot.error("sendMessage", chat_id=ALICE, text="я\U0001f600" * 1366) == (
        "Bad Request: message is too long"
    )
    text = "x" * 4096
    assert bot.say(f"<b>{text}</b>", parse_mode="HTML")["text"] == text


def test_username_names_a_chat(bot: Bot, telegram: Telegram) -> None:
    """A chat may be named by its @username, in any case."""
    telegram.add_place(Place(-1005, "channel", "Public", ALICE, "public_news"))
    assert bot.say(chat_id="@Public_News")["chat"]["id"] == -1005


def test_replies(bot: Bot) -> None:
    """A reply holds the message that it answers, without the one before."""
    first = bot.say("one", reply_parameters={"message_id": 1})
    second = bot.say("two", reply_to_message_id=str(first["message_id"]))
    assert first["reply_to_message"]["text"] == "/start"
    assert second["reply_to_message"]["text"] == "one"
    assert "reply_to_message" not in second["reply_to_message"]
    lone = bot.say("x", reply_parameters={"message_id": 99, "allow_sending_without_reply": True})
    assert "reply_to_message" not in lone
    assert "reply_to_message" not in bot.say(
        reply_to_message_id=99, allow_sending_without_reply="true"
    )


@pytest.mark.parametrize(
    ("params", "shown"),
    [
        ({"link_preview_options": '{"is_disabled": true, "url": "no"}'}, {"is_disabled": True}),
        ({"disable_web_page_preview": "true"}, {"is_disabled": True}),
        (
            {"link_preview_options": {"url": "x.com", "show_above_text": True}},
            {"show_above_text": True, "url": "x.com"},
        ),
        ({"link_preview_options": {}}, None),
    ],
)
def test_link_previews(bot: Bot, params: dict[str, Any], shown: Any) -> None:
    """What the bot says about a link's preview is kept with the message."""
    assert bot.say("see x.com", **params).get("link_preview_options") == shown


@pytest.mark.parametrize(
    ("options", "description"),
    [
        ("5", "object expected as link preview options"),
        ({"is_disabled": "yes"}, 'field "is_disabled" must be of type Boolean'),
        ({"url": "not-a-url"}, "WEBPAGE_URL_INVALID"),
    ],
)
def test_link_preview_errors(bot: Bot, options: Any, description: str) -> None:
    """Preview options that cannot be read are refused."""
    text = bot.error("sendMessage", chat_id=ALICE, text="a", link_preview_options=options)
    assert text == f"Bad Request: {description}"


def test_blocked_bot(bot: Bot, telegram: Telegram) -> None:
    """A person who blocked the bot gets nothing, and is not to be bothered with typing."""
    telegram.block(BOT, ALICE)
    for method, params in (
        ("sendMessage", {"text": "a"}),
        ("sendChatAction", {"action": "typing"}),
        ("editMessageText", {"text": "a", "message_id": 1}),
    ):
        assert bot.error(method, chat_id=ALICE, **params) == (
            "Forbidden: bot was blocked by the user"
        )
    telegram.block(BOT, ALICE, False)
    assert bot.say()["text"] == "hello"


@pytest.mark.parametrize(
    ("chat_id", "status", "description"),
    [
        (GROUP, "left", "Forbidden: bot is not a member of the supergroup chat"),
        (GROUP, "kicked", "Forbidden: bot was kicked from the supergroup chat"),
        (CHANNEL, "left", "Forbidden: bot is not a member of the channel chat"),
        (GROUP, "restricted", "Bad Request: not enough rights to send text messages to the chat"),
    ],
)
def test_unwelcome_bot(
    bot: Bot, telegram: Telegram, chat_id: int, status: str, description: str
) -> None:
    """A bot that is not, or no longer, in a chat cannot write there."""
    telegram.member(BOT, chat_id, BOT, status)
    assert bot.error("sendMessage", chat_id=chat_id, text="a") == description


def test_migrated_group(bot: Bot, telegram: Telegram) -> None:
    """A group that moved tells its new id with every refusal."""
    telegram.add_place(Place(-55, "group", "Old", ALICE))
    new = telegram.migrate(BOT, -55)
    answer = telegram.call(TOKEN, "sendMessage", {"chat_id": -55, "text": "a"})
    assert answer.body == {
        "ok": False,
        "error_code": 400,
        "description": "Bad Request: group chat was upgraded to a supergroup chat",
        "parameters": {"migrate_to_chat_id": new},
    }
    assert bot.say(chat_id=new)["chat"] == {"id": new, "type": "supergroup", "title": "Old"}


def test_channel_messages_have_no_sender(bot: Bot) -> None:
    """What a bot writes into a channel is written by the channel."""
    message = bot.say(chat_id=CHANNEL)
    assert "from" not in message and message["sender_chat"]["id"] == CHANNEL
    keyboard = {"keyboard": [["A"]]}
    assert bot.error("sendMessage", chat_id=CHANNEL, text="a", reply_markup=keyboard) == (
        "Bad Request: inline keyboard expected"
    )


def test_forward(bot: Bot, telegram: Telegram) -> None:
    """A forwarded message keeps its first origin."""
    post = telegram.post(BOT, CHANNEL, "news")
    params = {"chat_id": ALICE, "from_chat_id": CHANNEL, "message_id": post["message_id"]}
    first = bot.ok("forwardMessage", **params)
    assert first["text"] == "news" and first["forward_origin"]["type"] == "channel"
    again = bot.ok(
        "forwardMessage", chat_id=ALICE, from_chat_id=ALICE, message_id=first["message_id"]
    )
    assert again["forward_origin"] == first["forward_origin"]
    own = bot.ok("forwardMessage", chat_id=ALICE, from_chat_id=ALICE, message_id=1)
    assert own["forward_origin"]["sender_user"]["id"] == ALICE
    assert bot.error("editMessageText", chat_id=ALICE, text="x", message_id=own["message_id"]) == (
        "Bad Request: message can't be edited"
    )
    missing = {**params, "message_id": 99}
    assert bot.error("forwardMessage", **missing) == "Bad Request: message to forward not found"


def test_copy(bot: Bot, telegram: Telegram) -> None:
    """A copy is the bot's own message, perhaps with another caption."""
    photo = telegram.send(BOT, ALICE, ALICE, photo=PHOTO, caption="old")
    params = {"chat_id": ALICE, "from_chat_id": ALICE, "message_id": photo["message_id"]}
    copied = bot.ok("copyMessage", **params, caption="*new*", parse_mode="Markdown")
    assert list(copied) == ["message_id"]
    message = telegram.history(BOT, ALICE)[-1]
    assert message["caption"] == "new" and message["photo"] == photo["photo"]
    assert "forward_origin" not in message
    assert bot.error("copyMessage", **{**params, "message_id": 99}) == (
        "Bad Request: message to copy not found"
    )
    bot.ok("pinChatMessage", chat_id=ALICE, message_id=1)
    service = telegram.history(BOT, ALICE)[-1]["message_id"]
    assert bot.error("copyMessage", **{**params, "message_id": service}) == (
        "Bad Request: message can't be copied"
    )


def test_chat_action(bot: Bot, telegram: Telegram) -> None:
    """The feed shows what the bot is doing; an unknown action is refused."""
    assert bot.ok("sendChatAction", chat_id=ALICE, action="Typing") is True
    assert telegram.feed()[-2]["action"] == "typing"
    assert bot.error("sendChatAction", chat_id=ALICE, action="dance") == (
        "Bad Request: wrong parameter action in request"
    )


def test_message_numbers(bot: Bot, telegram: Telegram) -> None:
    """Private chats of a bot share one row of message numbers, a supergroup has its own."""
    telegram.send(BOT, BOB, BOB, text="a")
    assert bot.say(chat_id=BOB)["message_id"] == 3
    assert bot.say()["message_id"] == 4
    assert bot.say(chat_id=GROUP)["message_id"] == 1


def test_newcomers(bot: Bot, telegram: Telegram) -> None:
    """A person added later has a private chat and is in no group."""
    telegram.add_person(Person(2000, "Eve", last_name="Ng", username="eve", language_code=None))
    telegram.send(BOT, 2000, 2000, text="hi")
    user = bot.updates()[-1]["message"]["from"]
    assert user == {
        "id": 2000,
        "is_bot": False,
        "first_name": "Eve",
        "last_name": "Ng",
        "username": "eve",
    }
    assert [chat["chat"]["type"] for chat in telegram.chats(BOT, 2000)] == ["private"]
    assert len(telegram.chats(BOT, DAN)) == 3
