"""What the Bot API answers: results, refusals in Telegram's words, and cut connections."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer: the status, the JSON body, and headers beyond the usual ones."""

    status: int
    body: Json
    headers: dict[str, str] = field(default_factory=dict)


class Refused(Exception):
    """A call that Telegram answers with an error; holds the status, the text, the parameters."""

    def __init__(self, status: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.status = status
        self.description = description
        self.parameters = parameters


class ConnectionCut(Exception):
    """The connection ended without an answer; `sent` tells whether the call was carried out."""

    def __init__(self, *, sent: bool) -> None:
        super().__init__("the connection was cut " + ("after" if sent else "before") + " the call")
        self.sent = sent


class Impossible(ValueError):
    """Something that a person cannot do in Telegram; the text says what and why."""


def bad(text: str, **parameters: int) -> Refused:
    """A 400 with Telegram's prefix."""
    return Refused(400, f"Bad Request: {text}", **parameters)


def forbidden(text: str) -> Refused:
    """A 403 with Telegram's prefix."""
    return Refused(403, f"Forbidden: {text}")


def success(result: Any, description: str | None = None) -> Answer:
    """A 200 with the result."""
    body: Json = {"ok": True, "result": result}
    if description is not None:
        body["description"] = description
    return Answer(200, body)


def failure(error: Refused) -> Answer:
    """The answer that a refusal becomes; a 429 also carries the Retry-After header."""
    body: Json = {"ok": False, "error_code": error.status, "description": error.description}
    headers = {}
    if error.parameters:
        body["parameters"] = dict(error.parameters)
    if "retry_after" in error.parameters:
        headers["Retry-After"] = str(error.parameters["retry_after"])
    return Answer(error.status, body, headers)
