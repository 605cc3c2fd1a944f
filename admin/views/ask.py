"""What a form was filled in with, checked; 400 with one sentence for what makes no sense."""

from __future__ import annotations

from flask import abort, request

LARGEST = 2**63 - 1


def number(text: str, what: str, *, low: int = 0, high: int = LARGEST) -> int:
    """A whole number within bounds."""
    if text.isascii() and len(text) <= 20:
        try:
            found = int(text)
        except ValueError:
            pass
        else:
            if low <= found <= high:
                return found
    abort(400, f"{what} must be a whole number.")


def field_number(name: str, *, default: int | None = None, low: int = 0) -> int:
    """A number from a field of the form, or of the address."""
    text = request.values.get(name, "").strip()
    if not text and default is not None:
        return default
    return number(text, name, low=low)


def chat_id_of(name: str) -> int:
    """A chat's id from a field of the form; 0 when the field is not there."""
    text = request.form.get(name)
    if text is None:
        return 0
    found = number(text.strip(), "A chat's id", low=-LARGEST)
    if found == 0:
        abort(400, "A chat's id is not 0: it is in the list of chats.")
    return found


def word(name: str, *words: str) -> str:
    """One of a few words from a field of the form."""
    text = request.form.get(name, "")
    if text not in words:
        abort(400, f"{name} must be one of {', '.join(words)}.")
    return text
