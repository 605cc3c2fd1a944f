"""How values look in lists and on pages: names, badges, times, JSON; everything is escaped."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from flask_wtf.csrf import generate_csrf
from markupsafe import Markup

from models import User

LOOKS = {
    "active": "good",
    "banned": "bad",
    "blocked": "warn",
    "moderator": "accent",
    "admin": "accent",
    "owner": "accent",
    "open": "bad",
    "failed": "bad",
    "administrator": "good",
    "creator": "good",
    "member": "accent",
    "restricted": "accent",
    "left": "bad",
    "kicked": "bad",
    "replayed": "good",
    "unknown": "warn",
}
"""The look of words that are states."""
SHORT = 80
FOLD = Markup("<details><summary><code>{}…</code></summary><pre>{}</pre></details>")

Formatter = Callable[[Any, Any, Any, str], Any]


def badge(word: object) -> Markup:
    """A state, in the colour that it has everywhere."""
    look = LOOKS.get(str(word), "")
    return Markup('<span class="badge{}">{}</span>').format(look and f" badge-{look}", word)


def moment(at: datetime | None) -> Markup:
    """A time, which the browser shows as its own."""
    if at is None:
        return Markup('<span class="soft">never</span>')
    said = at.isoformat(timespec="seconds")
    return Markup('<time datetime="{}Z">{} UTC</time>').format(said, said.replace("T", " "))


def person(user: User | None) -> Markup:
    """A person by name, leading to their page."""
    if user is None:
        return Markup('<span class="soft">nobody</span>')
    return Markup('<a href="/users/{}"><bdi>{}</bdi></a>').format(user.id, user.name)


def handle(username: str | None) -> str:
    """A username as people write it."""
    return f"@{username}" if username else ""


def data(value: Any) -> Markup | str:
    """JSON: short as it is, long behind its beginning."""
    if value is None or value == {}:
        return ""
    said = json.dumps(value, ensure_ascii=False)
    if len(said) <= SHORT:
        return Markup("<code>{}</code>").format(said)
    whole = json.dumps(value, ensure_ascii=False, indent=2)
    return FOLD.format(said[:SHORT], whole)


def each(show: Callable[[Any], Any]) -> Formatter:
    """A formatter of a list's column: by the value alone."""
    return lambda _view, _context, row, name: show(getattr(row, name))


def row(show: Callable[[Any], Any]) -> Formatter:
    """A formatter of a list's column: by the whole row."""
    return lambda _view, _context, row, _name: show(row)


def text(value: object) -> Markup:
    """A text of somebody's, whose direction stays its own."""
    return Markup("<bdi>{}</bdi>").format(value) if value else Markup()


def csrf_field() -> Markup:
    """What every form has, so that no other site can send it."""
    return Markup('<input type="hidden" name="csrf_token" value="{}">').format(generate_csrf())


SHOWN: dict[str, Callable[..., Any]] = {
    "badge": badge,
    "moment": moment,
    "person": person,
    "handle": handle,
    "data": data,
    "text": text,
    "csrf_field": csrf_field,
}
"""What every template may call."""
