"""Tokens, method names, parameters, faults and the feed of calls."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sandbox.methods import KNOWN, SIMULATED
from sandbox.telegram import ConnectionCut, Telegram
from tests.sandbox.chatting import (
    ALICE,
    BOB,
    BOT,
    GROUP,
    PHOTO,
    TEXT_FILE,
    TOKEN,
    Bot,
    Clock,
)


@pytest.mark.parametrize(
    ("token", "description"),
    [
        ("nonsense", "Unauthorized: invalid token specified"),
        ("01:abcdefghijkl", "Unauthorized: invalid token specified"),
        ("1:" + "a" * 90, "Unauthorized: invalid token specified"),
        ("1:abcdefghij/kl", "Unauthorized: invalid token specified"),
        ("1:short", "Unauthorized"),
        ("x:abcdefghijkl", "Unauthorized"),
        (TOKEN + "1", "Unauthorized"),
    ],
)
def test_wrong_tokens(bot: Bot, token: str, description: str) -> None:
    """A token that is malformed, or is not the bot's, is refused with a 401."""
    answer = bot.telegram.call(token, "getMe", {})
    assert (answer.status, answer.body["description"]) == (401, description)


def test_get_me(bot: Bot, telegram: Telegram) -> None:
    """A bot finds out who it is; the sandbox's own bot has a name of its own."""
    me = bot.ok("GETme")
    assert me["username"] == "sandbox_bot" and me["is_bot"] and me["supports_inline_queries"]
    assert Bot(telegram, "77:any_other_token").ok("getMe")["username"] == "bot77_bot"


def test_method_names(bot: Bot) -> None:
    """A known method that is not simulated says so; an unknown one is answered as by Telegram."""
    assert bot.error("SENDdice") == "Bad Request: the sandbox does not simulate sendDice"
    assert bot.error("sendNothing") == "Not Found: method not found"
    assert len(KNOWN) == 185
    assert {name.lower() for name in SIMULATED} <= set(KNOWN)


@pytest.mark.parametrize("kind", [str, int])
def test_parameters_as_strings_or_values(bot: Bot, kind: type) -> None:
    """Numbers, truths and objects may come as JSON values or as their text."""
    keyboard: Any = {"inline_keyboard": [[{"text": "A", "callback_data": "a"}]]}
    as_text = kind is str
    message = bot.say(
        chat_id=kind(ALICE),
        protect_content="yes" if as_text else True,
        reply_markup=json.dumps(keyboard) if as_text else keyboard,
    )
    assert message["reply_markup"] == keyboard and message["has_protected_content"]
    assert bot.say(text=kind(5))["text"] == "5"


def test_unreadable_json(bot: Bot) -> None:
    """A parameter that should be JSON and is not is refused by its name."""
    description = bot.error("sendMessage", chat_id=ALICE, text="a", reply_markup="{")
    assert description == "Bad Request: can't parse reply keyboard markup JSON object"
    assert bot.say(reply_markup="", reply_to_message_id="none")["text"] == "hello"


@pytest.mark.parametrize("status", ["400", "401", "403", "404", "409", "500", "502"])
def test_fault_statuses(bot: Bot, telegram: Telegram, status: str) -> None:
    """A fault answers with its status, as often as it was told to."""
    telegram.fail(status, "sendMessage", times=2)
    for _ in range(2):
        answer = telegram.call(TOKEN, "sendMessage", {"chat_id": ALICE, "text": "a"})
        assert answer.status == answer.body["error_code"] == int(status)
    assert bot.say()["text"] == "hello"
    assert telegram.faults == []


def test_fault_429(telegram: Telegram, bot: Bot) -> None:
    """A 429 carries retry_after in the body and in the header."""
    telegram.fail("429", value=7)
    answer = telegram.call(TOKEN, "sendMessage", {"chat_id": ALICE, "text": "a"})
    assert answer.body["description"] == "Too Many Requests: retry after 7"
    assert answer.body["parameters"] == {"retry_after": 7}
    assert answer.headers == {"Retry-After": "7"}
    telegram.heal()
    telegram.fail("429", times=1)
    assert bot.error("getMe") == "Too Many Requests: retry after 1"


def test_faults_choose_their_calls(bot: Bot, telegram: Telegram) -> None:
    """A fault meets only the calls of its method and its chat."""
    telegram.send(BOT, BOB, BOB, text="hi")
    fault = telegram.fail("403", "SendMessage", chat_id=BOB)
    assert telegram.faults == [fault]
    assert bot.say("a")["text"] == "a"
    assert bot.error("sendMessage", chat_id=str(BOB), text="a").startswith("Forbidden: ")
    assert bot.ok("sendChatAction", chat_id=BOB, action="typing")


def test_slow_fault(bot: Bot, telegram: Telegram, clock: Clock) -> None:
    """A slow call is carried out after its delay."""
    telegram.fail("slow", value=2.5, times=1)
    telegram.fail("slow", times=1)
    before = clock.now
    bot.say()
    bot.say()
    assert clock.now == before + 3.5


def test_cut_faults(bot: Bot, telegram: Telegram) -> None:
    """A cut ends the connection before the call is carried out, or after."""
    telegram.fail("cut_before", times=1)
    telegram.fail("cut_after", times=1)
    for sent, count in ((False, 1), (True, 2)):
        with pytest.raises(ConnectionCut) as caught:
            bot.say()
        assert caught.value.sent is sent
        assert len(telegram.history(BOT, ALICE)) == count
    assert [item["status"] for item in telegram.feed() if item["kind"] == "call"][-2:] == [0, 0]


def test_unknown_fault(telegram: Telegram) -> None:
    """A fault that does not exist is refused with the list of those that do."""
    with pytest.raises(ValueError, match=r"use one of 400, .*cut_after"):
        telegram.fail("earthquake")


def test_feed_of_calls(bot: Bot, telegram: Telegram) -> None:
    """The feed holds each call with its answer and the messages that it made, never the token."""
    last = telegram.feed()[-1]["n"]
    message = bot.say()
    made, call = telegram.feed(last)
    assert made["kind"] == "message" and made["message"] == message
    assert call["kind"] == "call" and call["method"] == "sendMessage" and call["status"] == 200
    assert call["params"] == {"chat_id": ALICE, "text": "hello"}
    assert call["answer"] == {"ok": True, "result": message}
    assert call["messages"] == [{"chat_id": ALICE, "message_id": message["message_id"]}]
    assert telegram.feed(call["n"]) == []
    assert TOKEN not in json.dumps(telegram.feed())


def test_feed_shows_uploads_by_name(bot: Bot, telegram: Telegram) -> None:
    """An upload is in the feed by its name and size; getUpdates is not in it."""
    bot.ok("sendPhoto", {"photo": PHOTO}, chat_id=ALICE)
    bot.updates()
    assert telegram.feed()[-1]["params"]["photo"] == {"file": "cat.png", "size": len(PHOTO.data)}
    assert telegram.feed()[-1]["method"] == "sendPhoto"


def test_feed_is_bounded() -> None:
    """Old happenings are forgotten, numbers go on."""
    feed = Telegram()._world.feed
    for number in range(2 * feed._kept + 1):
        feed.add("action", BOT, chat_id=number)
    assert len(feed.after(0)) == feed._kept
    assert feed.after(feed.last - 1)[0]["chat_id"] == 2 * feed._kept
    assert feed.after(feed.last, timeout=0.01) == []


def test_files_are_found_by_id_and_path(bot: Bot, telegram: Telegram) -> None:
    """A file is served by its file_id and by its file_path."""
    document = bot.ok("sendDocument", {"document": TEXT_FILE}, chat_id=ALICE)["document"]
    path = bot.ok("getFile", file_id=document["file_id"])["file_path"]
    assert telegram.file(document["file_id"]) == telegram.file(path) == TEXT_FILE
    assert telegram.file("nothing") is None


def test_cast(telegram: Telegram) -> None:
    """The people are four, the first is the owner of the bot, one speaks Russian."""
    people = telegram.cast()
    assert [who["id"] for who in people] == [1001, 1002, 1003, 1004]
    assert people[2]["language_code"] == "ru" and "username" not in people[3]
    chats = telegram.chats(BOT, ALICE)
    assert [chat["chat"]["type"] for chat in chats] == ["private", "supergroup", "channel"]
    assert chats[1]["chat"]["id"] == GROUP and chats[1]["status"] == "creator"
