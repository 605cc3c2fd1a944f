"""The post: a Telegram in memory that takes any update, and delivers some of them again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.testing import Patience
from sandbox.telegram import Answer, File, Telegram
from settings import SANDBOX_TOKEN

BOT_ID = int(SANDBOX_TOKEN.partition(":")[0])
DAY = 1_770_000_000.0


class Post(Telegram):
    """Telegram's real queue; every message to whomever arrives and is kept in `sent`."""

    def __init__(self) -> None:
        patience = Patience()
        super().__init__(clock=lambda: DAY, timer=patience.timer, wait=patience.wait)
        self.again: list[dict[str, Any]] = []
        """What the next getUpdates delivers once more, before the rest."""
        self.sent: list[tuple[str, str]] = []

    def call(
        self,
        token: str,
        method: str,
        params: Mapping[str, Any],
        files: Mapping[str, File] | None = None,
    ) -> Answer:
        if method == "sendMessage":
            self.sent.append((str(params["chat_id"]), str(params["text"])))
            message = {"message_id": 1, "date": 1, "chat": {"id": 1, "type": "private"}}
            return Answer(200, {"ok": True, "result": {**message, "text": params["text"]}})
        answer = super().call(token, method, params, files)
        if method == "getUpdates" and self.again:
            result = [*self.again, *answer.body["result"]]
            self.again = []
            return Answer(200, {"ok": True, "result": result})
        return answer

    def queue(self, update: dict[str, Any]) -> dict[str, Any]:
        """Queue an update whatever it is; give it back with its id."""
        numbered = self._account(BOT_ID).queue.force(update)
        assert numbered is not None
        return numbered

    def waiting(self) -> int:
        """How many updates are not confirmed."""
        return len(self._account(BOT_ID).queue)


def message(person: int, text: str) -> dict[str, Any]:
    """An update: somebody writes to the bot."""
    sender = {"id": person, "is_bot": False, "first_name": f"P{person}"}
    chat = {"id": person, "type": "private", "first_name": f"P{person}"}
    facts = {"message_id": 1, "date": 1, "text": text}
    return {"message": {**facts, "from": sender, "chat": chat}}
