"""Reads the fields of a request of the chat page, and says what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Unclear(Exception):
    """A request of the page that misses something; the text says what."""


class Fields:
    """The fields of a request, from the query, a form or JSON."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def integer(self, name: str) -> int:
        """A whole number that must be there."""
        value = self.maybe_integer(name)
        if value is None:
            raise Unclear(f"The field {name} is missing.")
        return value

    def maybe_integer(self, name: str) -> int | None:
        """A whole number, None when it is not there."""
        value = self._values.get(name)
        if value is None or value == "":
            return None
        try:
            return int(value)
        except (TypeError, ValueError):
            raise Unclear(f"The field {name} must be a whole number.") from None

    def text(self, name: str) -> str:
        """A text, empty when it is not there."""
        value = self._values.get(name)
        if value is not None and not isinstance(value, str):
            raise Unclear(f"The field {name} must be a text.")
        return value or ""

    def flag(self, name: str) -> bool:
        """A truth."""
        return self._values.get(name) in (True, "true", "1")

    def numbers(self, name: str) -> list[int]:
        """A list of whole numbers."""
        value = self._values.get(name)
        if not isinstance(value, list) or not all(isinstance(each, int) for each in value):
            raise Unclear(f"The field {name} must be a list of whole numbers.")
        return value

    def place(self) -> tuple[int, int, int]:
        """The bot, the chat and the person that a deed is about."""
        return self.integer("bot"), self.integer("chat"), self.integer("person")
