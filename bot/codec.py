"""JSON, read and written by orjson, and by the standard library where orjson is too strict.

Every update is parsed, kept, logged and answered as JSON: the standard library takes several times
as long for that.
"""

from __future__ import annotations

import json
from typing import Any

import orjson


def loads(text: str | bytes) -> Any:
    """Read JSON. Raises ValueError, and RecursionError for what is too deep."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:  # half a surrogate pair, or not a number
        return json.loads(text)


def dumps(value: Any) -> str:
    """Write JSON, on one line and without spaces. Raises TypeError for what JSON lacks."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # half a surrogate pair, a number over 64 bits, a key that is no text
        return json.dumps(value, separators=(",", ":"))


def storable(value: Any) -> Any:
    """The value as JSON has it and every database can hold it. Raises TypeError, RecursionError.

    Without NUL, with ? for half a surrogate pair and null for what is no finite number.
    """
    return _without_odd(json.loads(json.dumps(value), parse_constant=lambda name: None))


def _without_odd(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode().replace("\0", "")
    if isinstance(value, list):
        return [_without_odd(item) for item in value]
    if isinstance(value, dict):
        return {_without_odd(key): _without_odd(item) for key, item in value.items()}
    return value
