"""Reads a text as Telegram does, for the tests of entities."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.answers import Refused
from sandbox.entities import format_text

USER = {"id": 1001, "is_bot": False, "first_name": "Alice"}
Entity = tuple[str, int, int]


def read(text: str, mode: str = "", stated: Any = None) -> tuple[str, list[Entity]]:
    """A text and its entities without their extras."""
    text, entities = format_text(text, mode, stated, people={1001: USER})
    return text, [(e["type"], e["offset"], e["length"]) for e in entities]


def extras(text: str, mode: str) -> list[dict[str, Any]]:
    """What entities carry besides their place."""
    entities = format_text(text, mode, people={1001: USER})[1]
    return [{k: v for k, v in e.items() if k not in ("offset", "length")} for e in entities]


def refusal(text: str, mode: str = "", stated: Any = None) -> str:
    """The reason for which a text is refused."""
    with pytest.raises(Refused) as caught:
        format_text(text, mode, stated)
    return caught.value.description
