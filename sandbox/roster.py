"""Which bots use the sandbox, and which of them were heard lately."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

FIRST_BOT = 1_000_000_001
FIRST = {"id": FIRST_BOT, "is_bot": True, "first_name": "Sandbox bot", "username": "sandbox_bot"}
ONLINE_SECONDS = 60


class Roster:
    """The bots that made a call over HTTP, in the order of their first one."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._users: dict[int, dict[str, Any]] = {}
        self._heard: dict[int, float] = {}
        self._tokens: set[str] = set()

    def hear(self, token: str, method: str, answer: Mapping[str, Any]) -> None:
        """Note a call; the answer to a getMe tells the bot's name."""
        number = token.partition(":")[0]
        if answer.get("error_code") in (401, 421) or not number.isdecimal():
            return
        bot_id = int(number)
        with self._lock:
            self._tokens.add(token)
            self._heard[bot_id] = self._clock()
            if method.lower() == "getme" and answer.get("ok"):
                self._users[bot_id] = dict(answer["result"])
            else:
                self._users.setdefault(bot_id, _unnamed(bot_id))

    def knows(self, token: str) -> bool:
        """Whether a bot has made a call with this token."""
        return token in self._tokens

    def bots(self) -> list[dict[str, Any]]:
        """Every bot as a User with `online`; before the first call, the one that is to come."""
        with self._lock:
            now = self._clock()
            bots = [
                {**user, "online": now - self._heard[bot_id] < ONLINE_SECONDS}
                for bot_id, user in self._users.items()
            ]
        return bots or [{**FIRST, "online": False}]


def _unnamed(bot_id: int) -> dict[str, Any]:
    if bot_id == FIRST_BOT:
        return dict(FIRST)
    username = f"bot{bot_id}_bot"
    return {"id": bot_id, "is_bot": True, "first_name": f"Bot {bot_id}", "username": username}
