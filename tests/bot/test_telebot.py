"""The TeleBot and the outbox: telebot's calls on our client, and none of the token."""

from __future__ import annotations

import gc
import io
import itertools
import json
import logging
import threading

import pytest
from prometheus_client import generate_latest
from telebot import ExceptionHandler, TeleBot, apihelper, types
from telebot.apihelper import ApiTelegramException
from telebot.custom_filters import SimpleCustomFilter

from bot import proxy as module
from bot.client import NeverSent, Stopping
from bot.outbox import Outbox
from bot.wire import Reply
from tests.bot.scripted import MESSAGE, SECRET_PART, Desk, ok, refusal


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_telebot_calls_through_the_client(desk: Desk) -> None:
    """A TeleBot's call has the client's retries and gives telebot's types."""
    desk.plan(NeverSent("x"), ok(MESSAGE))
    message = desk.client.telebot.send_message(7, "hi", parse_mode="HTML")
    assert isinstance(message, types.Message)
    assert message.message_id == 5
    fields = {"chat_id": "7", "text": "hi", "parse_mode": "HTML"}
    assert desk.wire.calls[-1] == ("sendMessage", fields, None)


def test_telebot_uploads_and_downloads_through_the_client(desk: Desk) -> None:
    """Files go and come over the same wire, with the timeout that was asked for."""
    desk.plan(ok(MESSAGE), Reply(200, {}, b"data"))
    bot = desk.client.telebot
    bot.send_document(7, types.InputFile(io.BytesIO(b"x"), "n.txt"), timeout=3)
    (_, _, files), timeout = desk.wire.calls[0], desk.wire.timeouts[0]
    assert files is not None
    assert (files["document"].name, timeout) == ("n.txt", (3, 3))
    assert bot.download_file("documents/1") == b"data"


def test_telebot_raises_what_the_client_raises(desk: Desk) -> None:
    """Refusals and stops come through telebot unchanged."""
    desk.plan(refusal(403, "Forbidden: bot was blocked by the user"))
    bot = desk.client.telebot
    with pytest.raises(ApiTelegramException, match="blocked"):
        bot.send_message(7, "hi")
    desk.stop.set()
    with pytest.raises(Stopping):
        desk.client.telebot.send_message(7, "hi")


def test_each_telebot_has_its_own_client() -> None:
    """Two bots of one process do not answer for each other, nor share states."""
    one, two = Desk(), Desk()
    one.client.telebot.send_chat_action(7, "typing")
    assert (one.methods, two.methods) == (["sendChatAction"], [])
    assert one.client.telebot is one.client.telebot
    assert one.client.telebot.token != two.client.telebot.token
    assert one.client.telebot.current_states is not two.client.telebot.current_states


def test_a_telebot_starts_no_threads(desk: Desk) -> None:
    """Updates run on our threads; telebot brings none."""
    before = threading.active_count()
    assert not desk.client.telebot.threaded
    assert threading.active_count() == before


def test_a_telebot_keeps_its_client_alive() -> None:
    """Whoever holds the bot can call, also when nobody holds the client any more."""
    bot = Desk().client.telebot
    gc.collect()
    bot.send_chat_action(7, "typing")


def test_a_telebot_of_nobody_is_refused() -> None:
    """A TeleBot that was made by hand has no connection, and the token is not in what is said."""
    bot = TeleBot(f"42:{SECRET_PART}", threaded=False)
    module.register(Desk().client, 42)
    with pytest.raises(LookupError, match="belongs to no running client") as caught:
        bot.get_me()
    assert SECRET_PART not in str(caught.value)


def test_the_token_is_nowhere_in_telebot(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    """Neither the bot, nor its file addresses, nor debug logs, nor errors hold the token."""
    desk.plan(ok({"file_id": "1", "file_unique_id": "1", "file_path": "photos/1.jpg"}), ok())
    bot = desk.client.telebot
    with caplog.at_level(logging.DEBUG, logger="TeleBot"), caplog.at_level(logging.DEBUG):
        shown = [repr(bot), repr(vars(bot)), repr(vars(desk.client)), bot.get_file_url("1")]
        desk.plan(refusal(400))
        with pytest.raises(ApiTelegramException) as caught:
            bot.send_message(7, "hi")
    shown += [repr(caught.value), repr(vars(caught.value)), caplog.text]
    shown.append(generate_latest(desk.metrics.registry).decode())
    assert [text for text in shown if SECRET_PART in text] == []
    assert bot.bot_id == 42


# The outbox


def test_the_outbox_keeps_calls_for_later(desk: Desk) -> None:
    """Calls are recorded in order, fit for JSON, and can be made from the record."""
    outbox = Outbox(desk.client)
    assert outbox.call("sendMessage", {"chat_id": 7, "text": "hi", "silent": True}) is None
    assert outbox.telebot.answer_callback_query("5") is None
    assert desk.methods == []
    calls = json.loads(json.dumps(outbox.calls))
    assert calls == [
        ["sendMessage", {"chat_id": "7", "text": "hi", "silent": "true"}],
        ["answerCallbackQuery", {"callback_query_id": "5"}],
    ]
    for method, fields in calls:
        desk.client.call(method, fields)
    assert desk.wire.calls[0] == ("sendMessage", calls[0][1], None)


def test_the_outbox_does_not_ask(desk: Desk) -> None:
    """Nothing is waited for inside a transaction; the sentence says what to do instead."""
    outbox = Outbox(desk.client)
    with pytest.raises(ValueError, match="leave out atomic=True"):
        outbox.telebot.get_me()
    assert outbox.calls == [] and outbox.bot_id == 42


def test_the_outbox_takes_no_files(desk: Desk) -> None:
    """A file cannot wait in the database; the sentence says what to do instead."""
    outbox = Outbox(desk.client)
    with pytest.raises(ValueError, match="send a file_id or a URL, or leave out atomic=True"):
        outbox.telebot.send_photo(7, b"bytes")


def test_what_telebot_answers_from_the_outbox(desk: Desk) -> None:
    """Every kind of result that is not known yet passes through telebot as nothing."""
    outbox = Outbox(desk.client)
    bot = outbox.telebot
    assert bot.send_message(7, "hi") is None
    assert bot.edit_message_text("hi", 7, 5) is None
    assert bot.send_poll(7, "?", [types.InputPollOption("a"), types.InputPollOption("b")]) is None
    assert bot.copy_message(7, 7, 5) is None
    assert bot.delete_message(7, 5) is None
    assert bot.forward_messages(7, 7, [1, 2]) == []
    assert bot.copy_messages(7, 7, [1, 2]) == []
    assert bot.send_media_group(7, [types.InputMediaPhoto("file_id")] * 2) == []


class Long(SimpleCustomFilter):
    """Whether a text has more than three letters."""

    key = "is_long"

    def check(self, message: types.Message) -> bool:
        return len(message.text or "") > 3


FILTERS: dict[str, list[object]] = {
    "content_types": [None, ["text"], ["photo"], []],
    "func": [None, lambda message: message.text == "/hi", lambda message: ""],
    "regexp": [None, "H", "^x"],
    "commands": [None, ["hi"], ["bye"]],
    "chat_types": [None, ["private"], ["group"]],
    "is_long": [None, True, False],
    "unknown": [None, True],
}


@pytest.mark.parametrize("text", ["/hi", "hi there"])
def test_filters_fit_as_telebot_has_it(desk: Desk, text: str) -> None:
    """Each pair of filters, in either order, says what telebot's own look says."""
    bot = desk.client.telebot
    bot.add_custom_filter(Long())
    message = types.Message.de_json({**MESSAGE, "text": text})  # type: ignore[no-untyped-call]
    assert message.content_type == "text"
    said = []
    for one, other in itertools.permutations(FILTERS, 2):
        for values in itertools.product(FILTERS[one], FILTERS[other]):
            handler = {"filters": dict(zip((one, other), values, strict=True))}
            ours = bool(bot._test_message_handler(handler, message))  # type: ignore[no-untyped-call]
            theirs = TeleBot._test_message_handler(bot, handler, message)  # type: ignore[no-untyped-call]
            assert ours == bool(theirs), handler
            said.append(ours)
    assert 50 < sum(said) < len(said) - 50


def test_an_outbox_is_let_go(desk: Desk) -> None:
    """Nothing keeps an outbox after its handler: thousands of them do not pile up."""
    desk.client.telebot.parse_mode = "HTML"
    gc.collect()  # what earlier tests left
    before = len(module._senders)
    for _ in range(100):
        assert Outbox(desk.client).telebot.parse_mode == "HTML"
    assert len(module._senders) == before


def test_a_bot_whose_outbox_is_gone_is_refused(desk: Desk) -> None:
    """A bot kept beyond its atomic handler does not send behind the ledger's back."""
    bot = Outbox(desk.client).telebot
    with pytest.raises(LookupError):
        bot.send_message(7, "hi")
    assert desk.methods == []


def test_the_sender_of_telebot_is_ours(desk: Desk) -> None:
    """One sender serves all bots of the process."""
    desk.client.telebot.send_chat_action(7, "typing")
    assert apihelper.CUSTOM_REQUEST_SENDER is module._send


@pytest.mark.parametrize("size", [0, 1])
def test_a_handler_of_exceptions_is_asked(desk: Desk, size: int) -> None:
    """Telebot's own, which a module may set, also one that looks empty; without it this raises."""
    told: list[Exception] = []

    class Told(ExceptionHandler):
        def __len__(self) -> int:
            return size

        def handle(self, exception: Exception) -> bool:
            told.append(exception)
            return True

    def fail(_message: types.Message) -> None:
        raise ValueError("no")

    bot, message = desk.client.telebot, types.Message.de_json(MESSAGE)  # type: ignore[no-untyped-call]
    bot.register_message_handler(fail, content_types=[message.content_type])
    with pytest.raises(ValueError, match="no"):
        bot.process_new_messages([message])  # type: ignore[no-untyped-call]
    bot.exception_handler = Told()
    bot.process_new_messages([message])  # type: ignore[no-untyped-call]
    assert [str(error) for error in told] == ["no"]
