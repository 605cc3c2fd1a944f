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
    TEXT_FILE,
    TOKEN,
    Bot,
    Clock,
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


def test_delete(bot: Bot, telegram: Telegram, clock: Clock) -> None:
    """A bot deletes its own messages and, in private, the person's, for 48 hours."""
    own = bot.say()["message_id"]
    bot.ok("pinChatMessage", chat_id=ALICE, message_id=own)
    assert bot.ok("deleteMessage", chat_id=ALICE, message_id=own) is True
    assert bot.ok("deleteMessage", chat_id=ALICE, message_id=1) is True
    assert bot.error("deleteMessage", chat_id=ALICE, message_id=own) == (
        "Bad Request: message to delete not found"
    )
    assert bot.error("deleteMessage", chat_id=ALICE) == (
        "Bad Request: message identifier is not specified"
    )
    assert [m.get("deleted", False) for m in telegram.history(BOT, ALICE)] == [True, True, False]
    assert telegram.chats(BOT, ALICE)[0]["pinned"] == []
    theirs = telegram.send(BOT, GROUP, BOB, text="a")["message_id"]
    late = bot.say()["message_id"]
    clock.now += 48 * 3600 + 1
    for chat_id, message_id in ((GROUP, theirs), (ALICE, late)):
        assert bot.error("deleteMessage", chat_id=chat_id, message_id=message_id) == (
            "Bad Request: message can't be deleted"
        )


def test_administrators_delete_in_groups(bot: Bot, telegram: Telegram) -> None:
    """In a group only an administrator deletes what others wrote."""
    theirs = telegram.send(BOT, GROUP, BOB, text="a")["message_id"]
    assert bot.error("deleteMessage", chat_id=GROUP, message_id=theirs) == (
        "Bad Request: message can't be deleted"
    )
    telegram.member(BOT, GROUP, BOT, "administrator")
    assert bot.ok("deleteMessage", chat_id=GROUP, message_id=theirs)


def test_chat_action(bot: Bot, telegram: Telegram) -> None:
    """The feed shows what the bot is doing; an unknown action is refused."""
    assert bot.ok("sendChatAction", chat_id=ALICE, action="Typing") is True
    assert telegram.feed()[-2]["action"] == "typing"
    assert bot.error("sendChatAction", chat_id=ALICE, action="dance") == (
        "Bad Request: wrong parameter action in request"
    )


def test_edit_text(bot: Bot, telegram: Telegram, clock: Clock) -> None:
    """An edit replaces the text and, without reply_markup, takes the buttons away."""
    message = bot.say("one", reply_markup=BUTTON)
    clock.now += 5
    edited = bot.ok("editMessageText", chat_id=ALICE, message_id=message["message_id"], text="two")
    assert edited["text"] == "two" and "reply_markup" not in edited
    assert edited["edit_date"] == edited["date"] + 5
    assert message["text"] == "one", "what was answered before must not change"
    assert telegram.history(BOT, ALICE)[-1]["text"] == "two"
    assert telegram.feed()[-2]["kind"] == "edit"


def test_edit_must_change_something(bot: Bot) -> None:
    """The same text with the same buttons is no edit; other buttons alone are one."""
    message = bot.say("one", reply_markup=BUTTON)
    place = {"chat_id": ALICE, "message_id": message["message_id"]}
    assert bot.error("editMessageText", **place, text="one", reply_markup=BUTTON) == NOT_MODIFIED
    assert bot.error("editMessageReplyMarkup", **place, reply_markup=BUTTON) == NOT_MODIFIED
    assert "reply_markup" not in bot.ok("editMessageReplyMarkup", **place)
    assert bot.error("editMessageReplyMarkup", **place) == NOT_MODIFIED
    assert bot.ok("editMessageText", **place, text="one", reply_markup=BUTTON)["text"] == "one"


@pytest.mark.parametrize(
    ("params", "description"),
    [
        ({"text": "a"}, "Bad Request: chat_id is empty"),
        ({"text": "a", "chat_id": ALICE}, "Bad Request: message identifier is not specified"),
        (
            {"text": "a", "chat_id": ALICE, "message_id": 9},
            "Bad Request: message to edit not found",
        ),
        ({"text": "a", "chat_id": ALICE, "message_id": 1}, "Bad Request: message can't be edited"),
        ({"text": "a", "inline_message_id": "x"}, "Bad Request: MESSAGE_ID_INVALID"),
        ({"chat_id": ALICE, "message_id": 1}, "Bad Request: message text is empty"),
    ],
)
def test_edit_errors(bot: Bot, params: dict[str, Any], description: str) -> None:
    """What cannot be edited is refused in Telegram's words."""
    assert bot.error("editMessageText", **params) == description


def test_edit_fits_the_content(bot: Bot) -> None:
    """A text has no caption, a document has no text; buttons must be inline ones."""
    text = {"chat_id": ALICE, "message_id": bot.say()["message_id"]}
    document = bot.ok("sendDocument", {"document": TEXT_FILE}, chat_id=ALICE, caption="old")
    file = {"chat_id": ALICE, "message_id": document["message_id"]}
    assert bot.error("editMessageCaption", **text, caption="a") == (
        "Bad Request: there is no caption in the message to edit"
    )
    assert bot.error("editMessageText", **file, text="a") == (
        "Bad Request: there is no text in the message to edit"
    )
    assert bot.error("editMessageText", **text, text="a", reply_markup={"force_reply": True}) == (
        "Bad Request: inline keyboard expected"
    )
    assert bot.ok("editMessageCaption", **file, caption="new")["caption"] == "new"
    assert "caption" not in bot.ok("editMessageCaption", **file)


def test_message_with_reply_keyboard_cannot_be_edited(bot: Bot) -> None:
    """A message that brought a reply keyboard stays as it is."""
    message = bot.say(reply_markup={"keyboard": [["A"]]})
    assert "reply_markup" not in message
    assert bot.error(
        "editMessageText", chat_id=ALICE, message_id=message["message_id"], text="a"
    ) == ("Bad Request: message can't be edited")


def test_pins(bot: Bot, telegram: Telegram) -> None:
    """A pinned message is on top of the chat; a note of it reaches the bot."""
    one, two = bot.say("one")["message_id"], bot.say("two")["message_id"]
    for message_id in (one, two, one):
        assert bot.ok("pinChatMessage", chat_id=ALICE, message_id=message_id) is True
    assert telegram.chats(BOT, ALICE)[0]["pinned"] == [two, one]
    assert bot.ok("getChat", chat_id=ALICE)["pinned_message"]["text"] == "one"
    assert [u["message"]["pinned_message"]["text"] for u in bot.updates()] == ["one", "two", "one"]
    assert bot.ok("unpinChatMessage", chat_id=ALICE) is True
    assert telegram.chats(BOT, ALICE)[0]["pinned"] == [two]
    assert bot.ok("unpinChatMessage", chat_id=ALICE, message_id=two) is True
    assert bot.error("unpinChatMessage", chat_id=ALICE) == (
        "Bad Request: message to unpin not found"
    )
    assert bot.error("pinChatMessage", chat_id=ALICE, message_id=99) == (
        "Bad Request: message to pin not found"
    )
    assert bot.ok("unpinAllChatMessages", chat_id=ALICE) is True


def test_pins_need_rights(bot: Bot, telegram: Telegram) -> None:
    """In a group only an administrator pins; in the channel the bot is one."""
    theirs = telegram.send(BOT, GROUP, BOB, text="a")["message_id"]
    assert bot.error("pinChatMessage", chat_id=GROUP, message_id=theirs) == (
        "Bad Request: not enough rights to manage pinned messages in the chat"
    )
    post = bot.say(chat_id=CHANNEL)["message_id"]
    bot.ok("pinChatMessage", chat_id=CHANNEL, message_id=post)
    assert "pinned_message" in bot.updates()[-1]["channel_post"]


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
