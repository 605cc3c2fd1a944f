"""Messages edited, deleted and pinned by the bot."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.telegram import Telegram
from tests.sandbox.chatting import (
    ALICE,
    BOB,
    BOT,
    CHANNEL,
    GROUP,
    TEXT_FILE,
    Bot,
    Clock,
    inline,
)

BUTTON = inline({"text": "A", "callback_data": "a"})
NOT_MODIFIED = (
    "Bad Request: message is not modified: specified new message content and reply markup are "
    "exactly the same as a current content and reply markup of the message"
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
