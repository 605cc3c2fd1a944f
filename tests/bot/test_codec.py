"""JSON: quick where that is possible, and as the standard library has it where it is not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot import codec


@pytest.mark.parametrize(
    "value",
    [{"a": [1, None, True, 1.5]}, "é \u2028 👍", "\0", "\ud800", 2**70, {"x": {1: "y"}}, -(2**63)],
)
def test_what_is_written_is_read_again(value: Any) -> None:
    """Whatever the standard library can write is written, on one line, and read as it would be."""
    text = codec.dumps(value)
    assert codec.loads(text) == json.loads(json.dumps(value)) and "\n" not in text


@pytest.mark.parametrize("text", ['"\\ud800"', "NaN", "[Infinity]", b'{"a":"\\udc00"}'])
def test_what_orjson_refuses_is_read_by_the_standard_library(text: str | bytes) -> None:
    """Half a surrogate pair and what is no number come through."""
    assert repr(codec.loads(text)) == repr(json.loads(text))


@pytest.mark.parametrize("text", ["", "{", b"<html>", b"\xff"])
def test_no_json_is_a_value_error(text: str | bytes) -> None:
    """What is not JSON is refused as ever."""
    with pytest.raises(ValueError, match=r".*"):
        codec.loads(text)
