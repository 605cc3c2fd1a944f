"""What a form was filled in with, checked; 400 with one sentence for what makes no sense."""

from __future__ import annotations

import re
from typing import TypeVar

from flask import abort, request
from peewee import Model

LARGEST = 2**63 - 1
SERIAL = 2**31 - 1
"""The largest number of a row."""
WHOLE = re.compile(r"-?[0-9]{1,19}")

Row = TypeVar("Row", bound=Model)


def number(text: str, what: str, *, low: int = 0, high: int = LARGEST) -> int:
    """A whole number within bounds."""
    if WHOLE.fullmatch(text) and low <= int(text) <= high:
        return int(text)
    abort(400, f"{what} must be a whole number.")


def field_number(
    name: str, *, default: int | None = None, low: int = 0, high: int = LARGEST
) -> int:
    """A number from a field of the form, or of the address."""
    text = request.values.get(name, "").strip()
    if not text and default is not None:
        return default
    return number(text, name, low=low, high=high)


def chat_id_of(name: str) -> int:
    """A chat's id from a field of the form; 0 when the field is not there."""
    text = request.form.get(name)
    if text is None:
        return 0
    found = number(text.strip(), "A chat's id", low=-LARGEST)
    if found == 0:
        abort(400, "A chat's id is not 0: it is in the list of chats.")
    return found


def row_of(model: type[Row], key: int, said: str) -> Row:
    """The row with a number; 404 with a sentence when there is none, or can be none."""
    found = model.get_or_none(model._meta.primary_key == key) if 0 < key <= SERIAL else None
    return found or abort(404, said)


def word(name: str, *words: str) -> str:
    """One of a few words from a field of the form."""
    text = request.form.get(name, "")
    if text not in words:
        abort(400, f"{name} must be one of {', '.join(words)}.")
    return text
