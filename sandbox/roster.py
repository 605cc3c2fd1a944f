"""Which bots use the sandbox over HTTP, and which of them were heard lately."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from sandbox.account import SANDBOX_BOT
from sandbox.telegram import Telegram

ONLINE_SECONDS = 60
FIRST = {
    "id": SANDBOX_BOT,
    "is_bot": True,
    "first_name": "Sandbox bot",
    "username": "sandbox_bot",
}


class Roster:
    """The bots that made a call, in the order of their first one."""

    def __init__(self, telegram: Telegram, clock: Callable[[], float] = time.monotonic) -> None:
        self._telegram = telegram
        self._clock = clock
        self._heard: dict[str, float] = {}

    def hear(self, token: str) -> None:
        """Note a call with a token that Telegram let in."""
        self._heard[token] = self._clock()

    def knows(self, token: str) -> bool:
        """Whether a bot has made a call with this token."""
        return token in self._heard

    def bots(self) -> list[dict[str, Any]]:
        """Every bot as a User with `online`; before the first call, the one that is to come."""
        users = {user["id"]: user for user in self._telegram.bots()}
        now = self._clock()
        bots = [
            {**users[int(token.partition(":")[0])], "online": now - heard < ONLINE_SECONDS}
            for token, heard in list(self._heard.items())
        ]
        return bots or [{**FIRST, "online": False}]
