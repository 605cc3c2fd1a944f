"""The words of an update: which command it is, and what else was said."""

from __future__ import annotations

import re
from typing import Any

from bot import rules

_COMMAND = re.compile(r"/([A-Za-z0-9_]+)(?:@(\w+))?(?:\s+|$)")


def parse(kind: str, event: Any, username: str) -> tuple[str | None, str]:
    """The command's name, and what was said beside it.

    The name is None where there is no command or it is meant for a bot that is not `username`.
    """
    if kind not in rules.MESSAGES:
        return None, getattr(event, "query", None) or ""
    if event.text is None:
        return None, event.caption or ""
    found = _COMMAND.match(event.text)
    if found is None or meant_for(event.text, username):
        return None, event.text
    return found[1].lower(), event.text[found.end() :]


def meant_for(text: str, username: str) -> str | None:
    """The other bot that a command names, as in /ping@other; None when it names none, or us."""
    found = _COMMAND.match(text)
    mention: str | None = found[2] if found else None
    return mention if mention and mention.lower() != username.lower() else None
