"""What people do, and what of it the bot hears."""

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
    GROUP,
    PHOTO,
    Bot,
    Clock,
    Json,
    inline,
)

BUTTON = inline({"text": "A", "callback_data": "a"})
TOO_OLD = "Bad Request: query is too old and response timeout expired or query ID is invalid"
Deed = Callable[[Telegram], Any]


def test_press(bot: Bot, telegram: Telegram) -> None:
    """A pressed button is a callback query; its answer is in the feed, the first one only."""
    message = bot.say("choose", reply_markup=BUTTON)
    query_id = telegram.press(BOT, ALICE, ALICE, message["message_id"], "a")
    query = bot.updates()[-1]["callback_query"]
    assert query["id"] == query_id and query["data"] == "a" and query["chat_instance"]
    assert query["from"]["id"] == ALICE and query["message"] == message
    last = telegram.feed()[-1]["n"]
    assert bot.ok("answerCallbackQuery", callback_query_id=query_id, text="ok", show_alert="true")
    assert bot.ok("answerCallbackQuery", callback_query_id=query_id) is True
    answers = [item for item in telegram.feed(last) if item["kind"] == "answer"]
    assert len(answers) == 1
    assert (answers[0]["text"], answers[0]["show_alert"], answers[0]["person_id"]) == (
        "ok",
        True,
        ALICE,
    )


def test_callback_queries_grow_old(bot: Bot, telegram: Telegram, clock: Clock) -> None:
    """A query that is unknown, or older than 150 s, cannot be answered."""
    message = bot.say(reply_markup=BUTTON)
    query_id = telegram.press(BOT, ALICE, ALICE, message["message_id"], "a")
    assert bot.error("answerCallbackQuery", callback_query_id="1") == TOO_OLD
    assert bot.error("answerCallbackQuery", callback_query_id=query_id, text="x" * 201) == (
        "Bad Request: MESSAGE_TOO_LONG"
    )
    clock.now += 151
    assert bot.error("answerCallbackQuery", callback_query_id=query_id) == TOO_OLD
    assert bot.updates() == []


def test_people_edit_their_messages(bot: Bot, telegram: Telegram) -> None:
    """An edit by a person reaches the bot as edited_message, a caption too."""
    text = telegram.send(BOT, ALICE, ALICE, text="one")
    photo = telegram.send(BOT, ALICE, ALICE, photo=PHOTO, caption="one")
    post = telegram.post(BOT, CHANNEL, "one")
    bot.updates()
    telegram.edit(BOT, ALICE, ALICE, text["message_id"], "two @bob")
    telegram.edit(BOT, ALICE, ALICE, photo["message_id"], "")
    telegram.edit(BOT, CHANNEL, ALICE, post["message_id"], "two")
    one, two, three = bot.updates()
    assert one["edited_message"]["text"] == "two @bob" and one["edited_message"]["entities"]
    assert "caption" not in two["edited_message"] and two["edited_message"]["edit_date"]
    assert three["edited_channel_post"]["text"] == "two"


@pytest.mark.parametrize(
    ("deed", "reason"),
    [
        (lambda t: t.send(BOT, 9, 9, text="a"), "Nobody here has the id 9"),
        (lambda t: t.send(BOT, -9, BOB, text="a"), "Bob has no chat -9"),
        (lambda t: t.send(BOT, ALICE, BOB, text="a"), "Bob has no chat 1001"),
        (lambda t: t.send(BOT, BOB, BOB, text=" "), "needs some text"),
        (lambda t: t.send(BOT, BOB, BOB), "needs some text"),
        (lambda t: t.send(BOT, BOB, BOB, text="x" * 4097), "at most 4096"),
        (lambda t: t.send(BOT, BOB, BOB, text="x", reply_to=99), "no message 99"),
        (lambda t: t.send(BOT, CHANNEL, BOB, text="x"), "Only administrators can post"),
        (lambda t: t.edit(BOT, ALICE, ALICE, 2, "x"), "Alice did not write message 2"),
        (lambda t: t.press(BOT, ALICE, ALICE, 2, "x"), "no button with the data 'x'"),
        (lambda t: t.post(BOT, -9, "x"), "no channel -9"),
        (lambda t: t.member(BOT, GROUP, BOB, "king"), "no status 'king'"),
        (lambda t: t.member(BOT, ALICE, ALICE, "left"), "no group or channel 1001"),
        (lambda t: t.migrate(BOT, CHANNEL), "no group -1002000000001 that could move"),
        (lambda t: t.react(BOT, ALICE, ALICE, 2, "x"), "x is not among the reactions"),
        (lambda t: t.vote(BOT, ALICE, ALICE, 2, [0]), "Message 2 has no poll"),
        (lambda t: t.choose(BOT, ALICE, ALICE, "1", "1"), "no result '1'"),
    ],
)
def test_impossible_deeds(bot: Bot, telegram: Telegram, deed: Deed, reason: str) -> None:
    """What Telegram would not let people do says why."""
    bot.say()
    with pytest.raises(Impossible, match=reason):
        deed(telegram)


def test_reactions(bot: Bot, telegram: Telegram) -> None:
    """Reactions of people reach a bot that asked; the history shows everybody's."""
    bot.ok("getUpdates", offset=1, allowed_updates=["message_reaction"])
    message_id = bot.say()["message_id"]
    telegram.react(BOT, ALICE, ALICE, message_id, "❤️")
    telegram.react(BOT, ALICE, ALICE, message_id, "❤")
    telegram.react(BOT, ALICE, ALICE, message_id, None)
    given, taken = (update["message_reaction"] for update in bot.updates())
    assert given["old_reaction"] == [] and given["new_reaction"] == [
        {"type": "emoji", "emoji": "❤"}
    ]
    assert taken["old_reaction"] == given["new_reaction"] and taken["new_reaction"] == []
    place: Json = {"chat_id": ALICE, "message_id": 1}
    assert bot.ok("setMessageReaction", **place, reaction='[{"type": "emoji", "emoji": "👍"}]')
    assert telegram.history(BOT, ALICE)[0]["reactions"] == {
        str(BOT): [{"type": "emoji", "emoji": "👍"}]
    }
    assert bot.ok("setMessageReaction", **place) is True
    assert "reactions" not in telegram.history(BOT, ALICE)[0]


def test_group_reactions_need_rights(bot: Bot, telegram: Telegram) -> None:
    """In a group only an administrator hears of reactions."""
    bot.ok("getUpdates", offset=1, allowed_updates=["message_reaction"])
    message_id = bot.say(chat_id=GROUP)["message_id"]
    telegram.react(BOT, GROUP, BOB, message_id, "👍")
    assert bot.updates() == []


@pytest.mark.parametrize(
    ("reaction", "description"),
    [
        ("5", "expected an Array of ReactionType"),
        ([5], "can't parse ReactionType: expected an Object"),
        ([{"type": "x"}], "can't parse ReactionType: invalid reaction type specified"),
        ([{"type": "emoji", "emoji": "x"}], "REACTION_INVALID"),
        ([{"type": "paid"}], "REACTION_INVALID"),
        ([{"type": "emoji", "emoji": "👍"}] * 2, "REACTIONS_TOO_MANY"),
    ],
)
def test_reaction_errors(bot: Bot, reaction: Any, description: str) -> None:
    """A reaction that a bot cannot give is refused."""
    text = bot.error("setMessageReaction", chat_id=ALICE, message_id=1, reaction=reaction)
    assert text == f"Bad Request: {description}"
    assert bot.error("setMessageReaction", chat_id=ALICE, message_id=9) == (
        "Bad Request: message to react not found"
    )


def test_push(bot: Bot, telegram: Telegram) -> None:
    """A raw update is queued as it is; whom and what it speaks of can be answered."""
    user = {"id": 5000, "is_bot": False, "first_name": "Raw"}
    chat = {"id": 5000, "type": "private", "first_name": "Raw"}
    group = {"id": -777, "type": "supergroup", "title": "Raw group"}
    message = {"message_id": 40, "date": 1, "chat": chat, "from": user, "text": "hi"}
    first = telegram.push(BOT, {"message": message})
    second = telegram.push(BOT, {"message": message | {"chat": group}})
    query = {"id": "77", "from": user, "data": "x", "chat_instance": "1", "message": message}
    telegram.push(BOT, {"my_chat_member": {"chat": group, "from": user, "date": 1}})
    telegram.push(BOT, {"callback_query": query})
    telegram.push(BOT, {"inline_query": {"id": "78", "from": user, "query": "", "offset": ""}})
    telegram.push(BOT, {"chat_join_request": {"chat": chat, "from": user, "date": 1}})
    assert second == first + 1
    reply = bot.say(chat_id=5000, reply_to_message_id=40)
    assert reply["message_id"] == 41 and reply["reply_to_message"] == message
    assert bot.say(chat_id=-777)["chat"] == group
    assert bot.ok("answerCallbackQuery", callback_query_id="77") is True
    assert bot.ok("answerInlineQuery", inline_query_id="78", results=[]) is True
    assert len(bot.updates()) == 6


def test_push_of_nonsense(bot: Bot, telegram: Telegram) -> None:
    """An update of a shape that nobody knows is passed on untouched."""
    odd = {"new_kind": {"from": 5, "chat": {"id": "x"}}, "number": 5}
    telegram.push(BOT, odd)
    telegram.push(BOT, {"message": {"chat": {"id": None}}})
    assert [set(update) - {"update_id"} for update in bot.updates()] == [set(odd), {"message"}]
