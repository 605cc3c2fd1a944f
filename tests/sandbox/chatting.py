"""A bot's side of the sandbox for tests, and a clock that only moves when it is told to."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from random import Random
from typing import Any

from sandbox.telegram import File, Telegram

TOKEN = "1000000001:sandbox_sandbox_sandbox_sandbox_000"
BOT = 1_000_000_001
ALICE, BOB, VERA, DAN = 1001, 1002, 1003, 1004
GROUP = -1001000000001
CHANNEL = -1002000000001
START = 1_800_000_000.0
PNG = (
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x02\x00\x00\x00\x01\x00\x08\x02\x00\x00\x00"
    b"\x00\x00\x00\x00"
)
PHOTO = File("cat.png", PNG, "image/png")
TEXT_FILE = File("notes.txt", b"milk", "text/plain")
Json = dict[str, Any]


class Clock:
    """Seconds that pass when a test, or a wait, says so."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now

    def wait(self, condition: threading.Condition, seconds: float) -> None:
        """Let the time of a wait pass at once."""
        assert condition is not None
        self.now += seconds

    def sleep(self, seconds: float) -> None:
        """Let the time of a sleep pass at once."""
        self.now += seconds


class Bot:
    """Calls the Bot API as one bot."""

    def __init__(self, telegram: Telegram, token: str = TOKEN) -> None:
        self.telegram = telegram
        self.token = token
        self.offset = 0

    def ok(self, method: str, files: Mapping[str, File] | None = None, **params: Any) -> Any:
        """The result of a call that must succeed."""
        answer = self.telegram.call(self.token, method, params, files)
        assert answer.status == 200, answer.body
        return answer.body["result"]

    def error(self, method: str, files: Mapping[str, File] | None = None, **params: Any) -> str:
        """The description of the error of a call that must fail."""
        answer = self.telegram.call(self.token, method, params, files)
        assert answer.status == answer.body["error_code"] != 200, answer.body
        description: str = answer.body["description"]
        return description

    def say(self, text: str = "hello", chat_id: int | str = ALICE, **params: Any) -> Json:
        """A message by the bot."""
        message: Json = self.ok("sendMessage", chat_id=chat_id, text=text, **params)
        return message

    def updates(self) -> list[Json]:
        """The updates that have come since the last time."""
        updates: list[Json] = self.ok("getUpdates", offset=self.offset)
        if updates:
            self.offset = updates[-1]["update_id"] + 1
        return updates


def sandbox(clock: Clock) -> Telegram:
    """A Telegram in which time passes only in waits."""
    return Telegram(clock=clock, random=Random(1), timer=clock, wait=clock.wait, sleep=clock.sleep)


def inline(*rows: Mapping[str, Any]) -> Json:
    """An inline keyboard with one button a row."""
    return {"inline_keyboard": [[row] for row in rows]}
