"""The parameters of a call: strings from a query or a form, or values decoded from JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sandbox.answers import bad
from sandbox.files import File

TRUE = frozenset({"true", "yes", "t", "y", "1"})


class Params:
    """Reads named values the way Telegram does; whatever cannot be read is the default."""

    __slots__ = ("files", "values")

    def __init__(self, values: Mapping[str, Any], files: Mapping[str, File] | None = None) -> None:
        self.values = values
        self.files: Mapping[str, File] = files or {}

    def __contains__(self, name: str) -> bool:
        return self.values.get(name) is not None

    def text(self, name: str) -> str:
        """A string; missing is empty; a JSON value comes back as its JSON text."""
        value = self.values.get(name)
        if isinstance(value, str):
            return value
        if value is None:
            return ""
        return json.dumps(value, ensure_ascii=False)

    def integer(self, name: str, default: int = 0) -> int:
        """A whole number; what is not one is the default."""
        return as_integer(self.values.get(name), default)

    def flag(self, name: str) -> bool:
        """True for true, yes, t, y and 1."""
        return as_flag(self.values.get(name))

    def json(self, name: str, label: str) -> Any:
        """A JSON value, None when missing or empty.

        Raises: Refused, "can't parse <label> JSON object".
        """
        value = self.values.get(name)
        if not isinstance(value, str):
            return value
        if not value.strip():
            return None
        try:
            return json.loads(value)
        except ValueError:
            raise bad(f"can't parse {label} JSON object") from None


def as_integer(value: Any, default: int = 0) -> int:
    """The whole number in a string or a JSON number."""
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return default


def as_flag(value: Any) -> bool:
    """The truth of a string or a JSON value."""
    if isinstance(value, str):
        return value.strip().lower() in TRUE
    return bool(value)
