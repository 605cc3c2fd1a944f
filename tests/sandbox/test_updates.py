"""getUpdates and webhooks: offsets, limits, long polls, conflicts, expiry."""

from __future__ import annotations

import threading
import time
from random import Random
from typing import Any

import pytest

from sandbox.telegram import Answer, Telegram
from sandbox.updates import DAY, Queue, Timing
from tests.sandbox.chatting import ALICE, BOT, GROUP, START, TOKEN, Bot, Clock, Json, sandbox

OTHER = "2:another_token_of_a_bot"


def texts(updates: list[dict[str, Any]]) -> list[str]:
    """The texts of message updates."""
    return [update["message"]["text"] for update in updates]


def test_updates_wait_until_confirmed(bot: Bot, telegram: Telegram) -> None:
    """An update comes again until an offset above its id confirms it."""
    for text in ("one", "two", "three"):
        telegram.send(BOT, ALICE, ALICE, text=text)
    first = bot.ok("getUpdates", offset=0, limit=2)
    assert texts(first) == ["one", "two"]
    assert first[1]["update_id"] == first[0]["update_id"] + 1 > 2_000_001
    again = bot.ok("getUpdates", offset=str(first[1]["update_id"]), limit="5")
    assert texts(again) == ["two", "three"]
    assert bot.ok("getUpdates", offset=again[1]["update_id"] + 1) == []


def test_negative_offset_keeps_the_last(bot: Bot, telegram: Telegram) -> None:
    """A negative offset counts from the end and forgets all that is before."""
    for text in ("one", "two", "three"):
        telegram.send(BOT, ALICE, ALICE, text=text)
    assert texts(bot.ok("getUpdates", offset=-2)) == ["two", "three"]
    assert bot.ok("getWebhookInfo")["pending_update_count"] == 2


def test_limit_is_clamped(bot: Bot, telegram: Telegram, clock: Clock) -> None:
    """A limit outside of 1 to 100 is brought inside, not refused."""
    for number in range(101):
        telegram.send(BOT, ALICE, ALICE, text=str(number))
    for limit, count in ((0, 1), (500, 100), (-3, 1)):
        clock.now += 10
        assert len(bot.ok("getUpdates", limit=limit)) == count


def test_hurried_bots_get_one_update(bot: Bot, telegram: Telegram, clock: Clock) -> None:
    """The same offset within half a second gets one update only."""
    telegram.send(BOT, ALICE, ALICE, text="one")
    telegram.send(BOT, ALICE, ALICE, text="two")
    assert len(bot.ok("getUpdates", offset=5)) == 2
    assert len(bot.ok("getUpdates", offset=5)) == 1
    clock.now += 0.5
    assert len(bot.ok("getUpdates", offset=5)) == 2


def test_hot_loops_wait_three_seconds(bot: Bot, clock: Clock) -> None:
    """The same offset within three seconds makes a poll without a timeout wait for three."""
    bot.ok("getUpdates", offset=7)
    before = clock.now
    assert bot.ok("getUpdates", offset=7) == []
    assert clock.now == before + 3
    assert bot.ok("getUpdates", offset=8) == []
    assert clock.now == before + 3


def test_long_poll_ends_after_its_timeout(bot: Bot, clock: Clock) -> None:
    """A long poll waits for its timeout, at most for fifty seconds."""
    bot.ok("getUpdates", offset=3, timeout="20")
    assert clock.now == START + 20
    bot.ok("getUpdates", offset=4, timeout=100)
    assert clock.now == START + 70


def _poll(telegram: Telegram, answers: list[Answer], **params: Any) -> threading.Thread:
    thread = threading.Thread(
        target=lambda: answers.append(telegram.call(TOKEN, "getUpdates", params))
    )
    thread.start()
    return thread


def _until_polling(telegram: Telegram) -> None:
    queue = telegram._account(BOT).queue
    deadline = time.monotonic() + 5
    while queue._poll is None and time.monotonic() < deadline:
        time.sleep(0.001)


def test_long_poll_is_woken() -> None:
    """A long poll answers as soon as an update comes."""
    telegram = Telegram()
    answers: list[Answer] = []
    thread = _poll(telegram, answers, timeout=20)
    _until_polling(telegram)
    telegram.send(BOT, ALICE, ALICE, text="hi")
    thread.join(5)
    assert texts(answers[0].body["result"]) == ["hi"]


def test_many_threads_at_once() -> None:
    """Messages that are sent from many threads all arrive, with numbers of their own."""
    telegram = Telegram()

    def write(person_id: int) -> None:
        for number in range(50):
            telegram.send(BOT, person_id, person_id, text=f"{person_id} {number}")
            telegram.call(TOKEN, "sendMessage", {"chat_id": person_id, "text": "a"})

    threads = [threading.Thread(target=write, args=(who["id"],)) for who in telegram.cast()]
    for thread in threads:
        thread.start()
    bot, received = Bot(telegram), 0
    while received < 200:
        updates = bot.ok("getUpdates", offset=bot.offset, timeout=5)
        bot.offset = updates[-1]["update_id"] + 1
        received += len(updates)
    for thread in threads:
        thread.join()
    numbers = [m["message_id"] for who in telegram.cast() for m in telegram.history(BOT, who["id"])]
    assert sorted(numbers) == list(range(1, 401))


def test_second_poll_ends_the_first() -> None:
    """Of two long polls the older one is ended with a 409."""
    telegram = Telegram()
    answers: list[Answer] = []
    thread = _poll(telegram, answers, timeout=20)
    _until_polling(telegram)
    assert telegram.call(TOKEN, "getUpdates", {"offset": 9}).body["result"] == []
    thread.join(5)
    assert answers[0].status == 409
    assert answers[0].body["description"] == (
        "Conflict: terminated by other getUpdates request; "
        "make sure that only one bot instance is running"
    )


def test_set_webhook_ends_the_poll() -> None:
    """Setting a webhook ends a long poll with a 409."""
    telegram = Telegram()
    answers: list[Answer] = []
    thread = _poll(telegram, answers, timeout=20)
    _until_polling(telegram)
    telegram.call(TOKEN, "setWebhook", {"url": "https://a.example/x"})
    thread.join(5)
    assert answers[0].body["description"] == "Conflict: terminated by setWebhook request"


def test_conflicts_are_held_back(bot: Bot, clock: Clock) -> None:
    """With a webhook set getUpdates is refused, the second time in a row only after 3 s."""
    bot.ok("setWebhook", url="https://a.example/x")
    text = (
        "Conflict: can't use getUpdates method while webhook is active; "
        "use deleteWebhook to delete the webhook first"
    )
    assert bot.error("getUpdates") == text
    assert clock.now == START
    assert bot.error("getUpdates") == text
    assert clock.now == START + 3


@pytest.mark.parametrize(
    ("kind", "life"), [("message", DAY), ("callback_query", 150), ("inline_query", 30)]
)
def test_updates_expire(bot: Bot, telegram: Telegram, clock: Clock, kind: str, life: int) -> None:
    """Each kind of update waits for its own time and no longer."""
    telegram.push(BOT, {"message": {"text": "stays"}})
    telegram.push(BOT, {kind: {"id": "1"}})
    clock.now += life - 1
    assert bot.ok("getWebhookInfo")["pending_update_count"] == 2
    clock.now += 1
    assert bot.ok("getWebhookInfo")["pending_update_count"] == (0 if life == DAY else 1)


def test_queue_has_an_end() -> None:
    """A queue that is full drops what comes."""
    queue = Queue(Timing(lambda: START), Random(1), longest=2)
    assert queue.put("poll", {}) and queue.put("poll", {})
    assert queue.put("poll", {}) is None
    assert len(queue) == 2


def test_allowed_updates(bot: Bot, telegram: Telegram) -> None:
    """Only the kinds asked for are queued; omitted keeps the choice, unknown names are ignored."""
    bot.ok("getUpdates", offset=1, allowed_updates='["callback_query", "nonsense"]')
    assert bot.ok("getWebhookInfo")["allowed_updates"] == ["callback_query"]
    telegram.send(BOT, ALICE, ALICE, text="unwanted")
    assert bot.ok("getUpdates", offset=2) == []
    bot.ok("getUpdates", offset=3, allowed_updates=[])
    telegram.send(BOT, ALICE, ALICE, text="wanted")
    assert texts(bot.updates()) == ["wanted"]
    assert "allowed_updates" not in bot.ok("getWebhookInfo")


def test_quiet_kinds_must_be_asked_for(bot: Bot, telegram: Telegram) -> None:
    """Reactions come only to a bot that asked for them."""
    message = bot.say()
    telegram.react(BOT, ALICE, ALICE, message["message_id"], "👍")
    assert bot.updates() == []
    bot.ok("getUpdates", offset=1, allowed_updates=["message_reaction"])
    telegram.react(BOT, ALICE, ALICE, message["message_id"], "🔥")
    assert [list(update)[1] for update in bot.updates()] == ["message_reaction"]


def test_webhook_answers(bot: Bot, telegram: Telegram) -> None:
    """Setting and deleting a webhook says whether it changed anything."""

    def describe(method: str, **params: Any) -> str:
        answer = telegram.call(TOKEN, method, params)
        assert answer.body["result"] is True
        text: str = answer.body["description"]
        return text

    telegram.send(BOT, ALICE, ALICE, text="waits")
    url = "https://a.example:8443/x"
    assert describe("setWebhook", url=url, max_connections=500) == "Webhook was set"
    assert describe("setWebhook", url=url) == "Webhook is already set"
    assert bot.ok("getWebhookInfo") == {
        "url": url,
        "has_custom_certificate": False,
        "pending_update_count": 1,
        "max_connections": 40,
    }
    assert describe("deleteWebhook", drop_pending_updates="true") == "Webhook was deleted"
    assert describe("deleteWebhook") == "Webhook is already deleted"
    assert describe("setWebhook", url="", drop_pending_updates=True) == "Webhook is already deleted"
    assert bot.ok("getWebhookInfo")["pending_update_count"] == 0
    describe("setWebhook", url=url)
    assert describe("setWebhook") == "Webhook was deleted"


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({"url": "https://a.example:99999"}, "invalid webhook URL specified"),
        ({"url": "https://"}, "invalid webhook URL specified"),
        ({"url": "http://a.b"}, "bad webhook: An HTTPS URL must be provided for webhook"),
        (
            {"url": "a.example:81"},
            "bad webhook: Webhook can be set up only on ports 80, 88, 443 or 8443",
        ),
        ({"url": "https://a.b", "secret_token": "x" * 257}, "secret token is too long"),
        (
            {"url": "https://a.b", "secret_token": "a b"},
            "secret token contains unallowed characters",
        ),
    ],
)
def test_webhook_errors(bot: Bot, params: Json, reason: str) -> None:
    """A webhook that Telegram could not use is refused."""
    assert bot.error("setWebhook", **params) == f"Bad Request: {reason}"


def test_bots_have_queues_of_their_own(clock: Clock) -> None:
    """Two bots see their own chats and updates only."""
    telegram = sandbox(clock)
    one, two = Bot(telegram), Bot(telegram, OTHER)
    telegram.send(BOT, ALICE, ALICE, text="for one")
    telegram.send(2, ALICE, ALICE, text="for two")
    telegram.send(2, GROUP, ALICE, text="/all")
    assert texts(one.updates()) == ["for one"]
    assert texts(two.updates()) == ["for two"]
    assert [user["id"] for user in telegram.bots()] == [BOT, 2]
    assert [m["text"] for m in telegram.history(2, ALICE)] == ["for two"]
