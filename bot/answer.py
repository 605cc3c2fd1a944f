"""The answer: what Telegram replied, read into a result or an error."""

from __future__ import annotations

from dataclasses import dataclass
from http.client import responses
from typing import Any

from telebot.apihelper import ApiTelegramException

from bot import codec
from bot.wire import Ambiguous, Reply

LONGEST = 86_400.0
"""Seconds; a longer pause is no answer of Telegram's."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of Telegram in the shape that telebot expects."""

    status_code: int
    data: dict[str, Any]
    text: str = ""
    retry_after: str = ""

    @property
    def reason(self) -> str:
        """The words that go with the status code."""
        return responses.get(self.status_code, "")

    def json(self) -> dict[str, Any]:
        """The body."""
        return self.data


def result_of(method: str, reply: Reply) -> Any:
    """The result in an answer. Raises ApiTelegramException, and Ambiguous for what is no answer."""
    try:
        answer = codec.loads(reply.body)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        answer = {}
    if answer.get("ok") is True:
        return answer.get("result")
    if reply.status == 429:  # whatever a proxy made of the body
        answer = {"description": "Too Many Requests"} | answer | {"error_code": 429}
    if type(answer.get("error_code")) is not int:
        raise Ambiguous(f"{method} got HTTP {reply.status} and a body that is not Telegram's")
    answer.setdefault("description", "")
    text = reply.body.decode(errors="replace")
    after = reply.headers.get("retry-after", "")
    full = Answer(reply.status, answer, text, after)
    raise ApiTelegramException(method, full, answer)  # type: ignore[no-untyped-call]


def retry_after(error: Exception) -> float:
    """Seconds that a 429 asks for; 1 when it does not say."""
    answer: Answer = error.result  # type: ignore[attr-defined]
    parameters = answer.data.get("parameters")
    told = parameters.get("retry_after") if isinstance(parameters, dict) else None
    return _seconds(told) or _seconds(answer.retry_after) or 1.0


def _seconds(told: Any) -> float:
    """A time to wait, at most a day; 0 for what is none."""
    try:
        seconds = float(told)
    except (TypeError, ValueError, OverflowError):
        return 0.0
    return min(seconds, LONGEST) if seconds > 0 else 0.0
