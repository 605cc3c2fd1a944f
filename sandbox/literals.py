"""Values written as Python that people read: double quotes, short lines, a line for each line."""

from __future__ import annotations

from typing import Any

WIDTH = 96


def literal(value: Any, indent: int = 0, *, taken: int = 0) -> str:
    """A text, number, list or dict as Python.

    `indent` is that of the line it stands in, `taken` what else is in that line.
    """
    line = _flat(value)
    if len(line) + indent + taken <= WIDTH:
        return line
    inner, pad = indent + 4, " " * (indent + 4)
    end = " " * indent
    if isinstance(value, dict):
        rows = [
            f"{pad}{_flat(k)}: {literal(v, inner, taken=len(_flat(k)) + 3)},"
            for k, v in value.items()
        ]
        return "\n".join(["{", *rows, end + "}"])
    if isinstance(value, list):
        rows = [f"{pad}{literal(item, inner, taken=1)}," for item in value]
        return "\n".join(["[", *rows, end + "]"])
    if isinstance(value, str):
        return "\n".join(
            ["(", *(pad + _quoted(piece) for piece in _pieces(value, inner)), end + ")"]
        )
    return line


def _flat(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_flat(k)}: {_flat(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flat, value)) + "]"
    return _quoted(value) if isinstance(value, str) else repr(value)


def _quoted(text: str) -> str:
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(letter: str) -> str:
    if letter in '"\\':
        return f"\\{letter}"
    return letter if letter.isprintable() else letter.encode("unicode_escape").decode()


def _pieces(text: str, indent: int) -> list[str]:
    """The lines of a text, long ones cut at words."""
    found: list[str] = []
    for line in text.splitlines(keepends=True):
        piece = ""
        for word in line.replace(" ", " \0").split("\0"):
            if piece and len(_quoted(piece + word)) > WIDTH - indent:
                found.append(piece)
                piece = ""
            piece += word
        found.append(piece)
    return found
