"""Refused for coming too fast: nothing goes within the window, and nothing is dropped."""

from __future__ import annotations

import pytest

from bot.client import Stopping
from bot.limits import Limits
from bot.wire import NeverSent, Reply
from tests.bot.scripted import MESSAGE, Desk, ok, refusal


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_429_waits_as_long_as_it_says(desk: Desk) -> None:
    """The refused call goes again when its window is over, and it is not doubtful."""
    desk.plan(refusal(429, "Too Many Requests: retry after 7", retry_after=7), ok(MESSAGE))
    assert desk.client.call("sendMessage", {"chat_id": 7, "text": "hi"}) == MESSAGE
    assert desk.now == 107.0
    assert desk.count("bot_api_429_total", scope="chat") == 1
    assert desk.count("bot_sends_ambiguous_total", method="sendMessage") == 0


def test_a_429_is_never_given_up(desk: Desk) -> None:
    """However often it is refused, the call is not dropped."""
    desk.plan(*[refusal(429, retry_after=30)] * 50, ok(MESSAGE))
    assert desk.client.call("sendMessage", {"chat_id": 7}) == MESSAGE
    assert desk.now == 100.0 + 50 * 30


def test_the_window_holds_the_chat_s_other_calls(desk: Desk) -> None:
    """Within the window nothing goes to the chat; other chats are served."""
    desk.limits.pause(7, 5)
    desk.client.call("sendMessage", {"chat_id": 8})
    assert desk.now == 100.0
    desk.client.call("deleteMessage", {"chat_id": 7})
    assert desk.now == 105.0


def test_a_429_without_a_chat_holds_all(desk: Desk) -> None:
    """A refused method without a chat closes the window for everything."""
    desk.plan(refusal(429, retry_after=4), ok())
    desk.client.call("answerCallbackQuery", {"callback_query_id": "1"})
    assert desk.now == 104.0
    assert desk.count("bot_api_429_total", scope="all") == 1


@pytest.mark.parametrize("method", ["getMe", "sendChatAction", "answerCallbackQuery"])
def test_a_call_that_is_made_again_keeps_out_of_a_new_window(desk: Desk, method: str) -> None:
    """A window that opens while a failed call backs off holds it, whatever the method."""
    desk.plan(NeverSent("no route"), ok())
    wait = desk.client._wait

    def refuse_others(seconds: float) -> bool:
        if not desk.waits:
            desk.limits.refused(None, 5)
        return wait(seconds)

    desk.client._wait = refuse_others
    desk.client.call(method, {"chat_id": 7})
    assert desk.now == 105.0


def test_a_stop_ends_the_wait_in_a_window(desk: Desk) -> None:
    """A call held by a window is given up when the process stops, and frees its place."""
    desk.limits.pause(7, 60)
    desk.stop.set()
    with pytest.raises(Stopping):
        desk.client.call("sendMessage", {"chat_id": 7})
    assert desk.methods == []
    assert not desk.limits._chats["7"].turns


@pytest.mark.parametrize(
    ("reply", "seconds"),
    [
        (Reply(429, {"retry-after": "9"}, b"<html>slow down</html>"), 9.0),
        (Reply(429, {}, b""), 1.0),
        (refusal(429), 1.0),
        (Reply(429, {"retry-after": "soon"}, b""), 1.0),
        (Reply(429, {}, b'{"ok":false,"parameters":{"retry_after":null}}'), 1.0),
        (Reply(429, {}, b'{"ok":false,"parameters":{"retry_after":2.5}}'), 2.5),
        (Reply(429, {}, b'{"ok":false,"error_code":"429","parameters":{"retry_after":3}}'), 3.0),
        (Reply(429, {}, b'{"ok":false,"error_code":400,"parameters":{"retry_after":3}}'), 3.0),
        (Reply(429, {"retry-after": "9"}, b'{"ok":false,"parameters":{}}'), 9.0),
        (Reply(429, {}, b'{"ok":false,"parameters":{"retry_after":-5}}'), 1.0),
        (Reply(429, {}, b'{"ok":false,"parameters":{"retry_after":"0"}}'), 1.0),
        (Reply(429, {"retry-after": "NaN"}, b""), 1.0),
        (Reply(429, {}, b'{"ok":false,"parameters":{"retry_after":1' + b"0" * 400 + b"}}"), 1.0),
        (Reply(429, {"retry-after": "1e12"}, b""), 86_400.0),
    ],
)
def test_how_long_a_429_lasts(desk: Desk, reply: Reply, seconds: float) -> None:
    """The body says how long, else the header, else it is a second; odd ones say nothing."""
    desk.plan(reply, ok())
    desk.client.call("sendMessage", {"chat_id": 7})
    assert desk.now == 100.0 + seconds


def test_the_pace_is_kept(desk: Desk) -> None:
    """With limits on, calls of one chat wait for their turn and leave it."""
    desk.client._limits = limits = Limits(30, 1, 20, clock=lambda: desk.now)
    for _ in range(5):
        desk.client.call("sendMessage", {"chat_id": 7})
    assert desk.now == 102.0
    assert not limits._chats["7"].turns
