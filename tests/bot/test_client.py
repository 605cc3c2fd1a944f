"""The client over a scripted wire: retries, pauses and counts."""

from __future__ import annotations

import logging
import threading
from http import HTTPStatus

import pytest
from prometheus_client import CollectorRegistry
from telebot.apihelper import ApiTelegramException

from bot.client import Ambiguous, Client, NeverSent, Stopping
from bot.form import File
from bot.limits import Limits
from bot.metrics import Metrics
from bot.wire import Reply
from settings import Secret
from tests.bot.scripted import MESSAGE, SECRET_PART, Desk, ScriptedWire, ok, refusal


@pytest.fixture
def desk() -> Desk:
    return Desk()


# A call


def test_a_call_gives_the_result(desk: Desk) -> None:
    """Parameters are encoded, the result comes back, and the call is counted and timed."""
    desk.plan(ok(MESSAGE))
    assert desk.client.call("sendMessage", {"chat_id": 7, "text": "hi", "x": None}) == MESSAGE
    assert desk.wire.calls == [("sendMessage", {"chat_id": "7", "text": "hi"}, None)]
    assert desk.count("bot_api_requests_total", method="sendMessage", code="200") == 1
    assert desk.count("bot_api_duration_seconds_count", method="sendMessage") == 1


def test_the_token_goes_to_the_wire_as_a_secret(desk: Desk) -> None:
    """The wire gets the Secret itself, never its text."""
    desk.client.call("getMe")
    assert isinstance(desk.wire.tokens[0], Secret)
    assert desk.wire.tokens[0].reveal() == f"42:{SECRET_PART}"


def test_files_and_timeouts_reach_the_wire(desk: Desk) -> None:
    """Files become Files; the timeouts are the caller's, or connect 10 s and read 30 s."""
    desk.client.call("sendPhoto", {"chat_id": 7}, {"photo": b"1"}, timeout=(1, 2))
    desk.client.call("getMe")
    assert desk.wire.calls[0][2] == {"photo": File("photo", b"1")}
    assert desk.wire.timeouts == [(1, 2), (10, 30)]


@pytest.mark.parametrize("code", [400, 401, 403, 404])
def test_what_telegram_refuses_is_raised_at_once(desk: Desk, code: int) -> None:
    """A refusal is telebot's exception, with code, text and parameters, and no retry."""
    desk.plan(refusal(code, "Forbidden: bot was blocked by the user", migrate_to_chat_id=-5))
    with pytest.raises(ApiTelegramException, match="blocked by the user") as caught:
        desk.client.call("sendMessage", {"chat_id": 7, "text": "hi"})
    assert caught.value.error_code == code
    assert (caught.value.result.status_code, caught.value.result.reason) == (
        code,
        HTTPStatus(code).phrase,
    )
    assert caught.value.result_json["parameters"] == {"migrate_to_chat_id": -5}
    assert desk.methods == ["sendMessage"]
    assert desk.count("bot_api_requests_total", method="sendMessage", code=str(code)) == 1


class Failing:
    """A courier that has no memory for a call."""

    open = True

    def post(self, *_: object, **__: object) -> None:
        raise MemoryError


def test_a_call_that_cannot_be_posted_holds_up_no_other() -> None:
    """It leaves its place in the chat, and the next one goes."""
    desk = Desk()
    desk.client._courier = Failing()  # type: ignore[assignment]
    desk.client._limits = Limits(30, 1, 20, clock=lambda: desk.now)
    with pytest.raises(MemoryError):
        desk.client.post("sendMessage", {"chat_id": 7, "text": "hi"}, lambda sending: None)
    assert not desk.client._limits._chats["7"].turns
    assert desk.client.call("sendMessage", {"chat_id": 7, "text": "hi"}) is True


# What never left


def test_what_never_left_is_sent_until_it_gets_through(desk: Desk) -> None:
    """The waits double from a fifth of a second to four seconds; nothing counts as doubled."""
    desk.plan(*[NeverSent("no route")] * 12, ok(MESSAGE))
    assert desk.client.call("sendMessage", {"chat_id": 7, "text": "hi"}) == MESSAGE
    assert desk.waits[:4] == [0.2, 0.4, 0.8, 1.6]
    assert desk.waits[-1] == 4.0
    assert desk.count("bot_api_requests_total", method="sendMessage", code="never_sent") == 12
    assert desk.count("bot_sends_ambiguous_total", method="sendMessage") == 0


def test_the_waits_are_unequal(desk: Desk) -> None:
    """Chance takes off up to half of a wait, so that many clients do not come back at once."""
    desk.client._random = lambda: 0.0
    desk.plan(NeverSent("x"), ok())
    desk.client.call("getMe")
    assert desk.waits == [0.1]


def test_a_stop_ends_the_retries(desk: Desk) -> None:
    """A call that cannot get through is given up when the process stops."""
    desk.plan(*[NeverSent("x")] * 3)
    wait = desk.client._wait

    def stop_at_second(seconds: float) -> bool:
        if len(desk.waits) == 1:
            desk.stop.set()
        return wait(seconds)

    desk.client._wait = stop_at_second
    with pytest.raises(Stopping):
        desk.client.call("sendMessage", {"chat_id": 7})
    assert len(desk.methods) == 2


def test_no_call_after_the_stop(desk: Desk) -> None:
    """Once stopped, nothing more goes out."""
    desk.stop.set()
    with pytest.raises(Stopping, match="is stopping"):
        desk.client.call("getMe")
    assert desk.methods == []


def test_no_call_without_leave(desk: Desk) -> None:
    """A process that lost its lease makes no call, also in the middle of retries."""
    desk.plan(NeverSent("x"))
    wait = desk.client._wait

    def lose(seconds: float) -> bool:
        desk.allowed = False
        return wait(seconds)

    desk.client._wait = lose
    with pytest.raises(Stopping, match="another process"):
        desk.client.call("getMe")
    assert desk.methods == ["getMe"]


def test_by_default_it_waits_for_the_stop() -> None:
    """Without a wait of its own the client is woken by its stop."""
    stop = threading.Event()
    client = Client(
        1, Secret("1:x"), ScriptedWire(), Limits(), Metrics(CollectorRegistry()), stop=stop
    )
    assert client._wait == stop.wait


# What may have been carried out


@pytest.mark.parametrize(
    "fault", [Ambiguous("cut"), refusal(502, "Bad Gateway"), Reply(200, {}, b"<html>")]
)
def test_an_ambiguous_send_is_repeated_and_counted(
    desk: Desk, fault: Reply | Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """A cut, a 5xx, an answer that is no JSON: sent again, counted, and logged."""
    desk.plan(fault, fault, ok(MESSAGE))
    with caplog.at_level(logging.WARNING):
        assert desk.client.call("sendMessage", {"chat_id": 7, "text": "hi"}) == MESSAGE
    assert desk.count("bot_sends_ambiguous_total", method="sendMessage") == 2
    assert len(desk.methods) == 3
    assert caplog.text.count("sendMessage may have been carried out") == 2


def test_what_is_safe_to_repeat_is_not_counted(desk: Desk) -> None:
    """Editing, deleting, answering and asking twice do no harm."""
    safe = ["getChat", "editMessageText", "deleteMessage", "answerCallbackQuery", "sendChatAction"]
    for method in safe:
        desk.plan(Ambiguous("cut"), ok())
        desk.client.call(method, {"chat_id": 7})
        assert desk.count("bot_sends_ambiguous_total", method=method) == 0
    assert len(desk.methods) == 2 * len(safe)


@pytest.mark.parametrize(
    ("method", "said"),
    [
        ("editMessageText", "Bad Request: message is not modified: specified new message content"),
        ("deleteMessage", "Bad Request: message to delete not found"),
    ],
)
def test_what_was_done_by_a_doubtful_try_is_done(desk: Desk, method: str, said: str) -> None:
    """The second try of an edit or a deletion is refused since the first one came through."""
    desk.plan(Ambiguous("cut"), refusal(400, said), refusal(400, said))
    assert desk.client.call(method, {"chat_id": 7, "message_id": 5}) is True
    with pytest.raises(ApiTelegramException):
        desk.client.call(method, {"chat_id": 7, "message_id": 5})


@pytest.mark.parametrize("method", ["sendMessage", "getChat"])
def test_doubt_does_not_last_for_ever(desk: Desk, method: str) -> None:
    """After five tries without a clear answer the caller is told."""
    desk.plan(*[Ambiguous("cut")] * 9)
    with pytest.raises(Ambiguous):
        desk.client.call(method, {"chat_id": 7})
    assert len(desk.methods) == 5
    assert desk.count("bot_sends_ambiguous_total", method=method) == 5 * (method == "sendMessage")
    assert desk.count("bot_api_requests_total", method=method, code="ambiguous") == 5


def test_the_last_5xx_is_raised_as_it_came(desk: Desk) -> None:
    """When Telegram keeps failing, its own error is what is raised."""
    desk.plan(*[refusal(500, "Internal Server Error: restart")] * 9)
    with pytest.raises(ApiTelegramException, match="restart"):
        desk.client.call("sendMessage", {"chat_id": 7})
    assert len(desk.methods) == 5


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"ok":false}', b"\xff\xfe", b"[" * 100_000, b'{"ok":1,"error_code":"x"}']
)
def test_a_body_that_is_not_telegram_s_is_no_answer(desk: Desk, body: bytes) -> None:
    """Whatever is not an answer of the Bot API leaves the call's fate open."""
    desk.plan(*[Reply(200, {}, body)] * 5)
    with pytest.raises(Ambiguous, match="a body that is not Telegram's"):
        desk.client.call("getMe")


# Updates


def test_updates_are_asked_for_once(desk: Desk) -> None:
    """A poll waits longer for its answer than Telegram waits for an update."""
    desk.plan(ok([{"update_id": 1}]))
    updates = desk.client.get_updates(offset=5, timeout=25, limit=50, allowed_updates=["message"])
    assert updates == [{"update_id": 1}]
    fields = {"offset": "5", "timeout": "25", "limit": "50", "allowed_updates": '["message"]'}
    assert desk.wire.calls == [("getUpdates", fields, None)]
    assert desk.wire.timeouts == [(10, 35)]


@pytest.mark.parametrize("fault", [NeverSent("x"), Ambiguous("x")])
def test_failed_polls_are_the_poller_s_affair(desk: Desk, fault: Exception) -> None:
    """A failed getUpdates is raised at once, for the poller has its own waits."""
    desk.plan(fault)
    with pytest.raises(type(fault)):
        desk.client.get_updates()
    assert len(desk.methods) == 1


def test_a_conflict_is_raised(desk: Desk) -> None:
    """The 409 of a second poller comes out with its text."""
    desk.plan(refusal(409, "Conflict: terminated by other getUpdates request"))
    with pytest.raises(ApiTelegramException, match="Conflict"):
        desk.client.get_updates()
    assert desk.count("bot_api_429_total", scope="all") == 0


def test_a_429_for_polling_closes_the_window_for_the_next_poll(desk: Desk) -> None:
    """The poller is told, and its next call waits until the window is over."""
    desk.plan(refusal(429, retry_after=3), ok([]))
    with pytest.raises(ApiTelegramException):
        desk.client.get_updates()
    assert desk.client.get_updates() == []
    assert desk.now == 103.0


def test_updates_that_are_no_list_are_no_answer(desk: Desk) -> None:
    """A result of another kind does not reach the inbox."""
    desk.plan(ok({"update_id": 1}))
    with pytest.raises(Ambiguous, match="without a list"):
        desk.client.get_updates()


# Downloads


def test_downloads_are_repeated(desk: Desk) -> None:
    """A download that was cut is made again; it is counted as a method of its own."""
    desk.plan(Ambiguous("cut"), Reply(200, {}, b"data"))
    assert desk.client.download("photos/1.jpg") == b"data"
    assert desk.count("bot_api_requests_total", method="download", code="200") == 1


def test_a_missing_file_is_raised(desk: Desk) -> None:
    """What Telegram says to a download comes out like any refusal."""
    desk.plan(refusal(404, "Not Found"))
    with pytest.raises(ApiTelegramException, match="Not Found"):
        desk.client.download("photos/1.jpg")
