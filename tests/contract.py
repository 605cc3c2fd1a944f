"""The table of the contract in docs/plugins.md, made from the code: python -m tests.contract."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

from bot import Context, Plugin

PAGE = Path(__file__).parent.parent / "docs" / "plugins.md"
BEGIN, END = "<!-- the contract: python -m tests.contract -->", "<!-- the end of the contract -->"


def table() -> str:
    """A row for everything that a plugin may declare, and for all that a ctx has."""
    return "\n".join([*_table("plugin", Plugin), "", *_table("ctx", Context)])


def page(text: str) -> str:
    """The page with the table as it must be. Raises ValueError without the marks."""
    before, _, rest = text.partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise ValueError(f"{PAGE} lacks {BEGIN} or {END}")
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"


def _table(name: str, kind: type) -> list[str]:
    rows = [_row(name, key, getattr(kind, key)) for key in _members(kind)]
    return [f"| `{name}.` | |", "| --- | --- |", *rows]


def _members(kind: type) -> list[str]:
    """What is meant for authors: public, and not the loader's own."""
    found: dict[str, None] = {}
    for base in reversed(kind.__mro__[:-1]):
        found |= dict.fromkeys(key for key in vars(base) if not key.startswith("_"))
    if kind is Context:
        found["_"] = None
    return sorted(key for key in found if key not in LOADERS)


LOADERS = ("close", "caller", "effects", "handler", "runtime", "match_data", "place_text")


def _row(name: str, key: str, member: Any) -> str:
    call = key
    if inspect.isfunction(member):
        call += _signature(member)
    return f"| `{call}` | {_said(key, member)} |"


def _signature(func: Any) -> str:
    """The arguments without their types: the names are what one writes."""
    parameters = list(inspect.signature(func).parameters.values())[1:]
    parts: list[str] = []
    for one in parameters:
        if one.kind is one.KEYWORD_ONLY and not any(part.startswith("*") for part in parts):
            parts.append("*")
        stars = "*" * (one.kind is one.VAR_POSITIONAL) + "**" * (one.kind is one.VAR_KEYWORD)
        default = "" if one.default is one.empty else f"={one.default!r}"
        parts.append(f"{stars}{one.name}{default}")
    return f"({', '.join(parts)})"


def _said(key: str, member: Any) -> str:
    text = inspect.getdoc(getattr(member, "func", member)) or ""
    if type(member).__name__ == "member_descriptor" or inspect.ismodule(member):
        text = PLAIN[key] if key in PLAIN else text.partition("\n")[0]
    return re.sub(r"\s+", " ", text.partition("\n\n")[0]).replace("|", "\\|").strip()


PLAIN = {
    "chat": "The chat it happened in; None for inline queries, polls and the like.",
    "event": "The part of the update that is of its kind, as telebot has it.",
    "kind": 'The update\'s kind, such as "message".',
    "state": "What the question's `data` held.",
    "user": "The sender from the database, or None.",
    "users": "What is done with people: languages, roles, referrals.",
    "analytics": "What happened, and how many people take part.",
}


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
