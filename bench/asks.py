"""What the panel is asked to measure its speed, and to read its plans: every list, each way."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from itertools import product
from typing import NamedTuple

from flask import Flask

from admin.views.table import Table
from bench.people import telegram_id

DEEP = 10_000
"""The page that stands for all the deep ones; 0 is the first."""
WAYS = {
    "users": {
        "status active": "status=active",
        "status banned": "status=banned",
        "role user": "role=user",
        "role owner": "role=owner",
        "language": "language=ru",
        "seen this week": "last_activity_at_from={week}",
        "seen before this month": "last_activity_at_to={month}",
        "a common source": "source=blog",
        "a rare source": "source=link-77",
        "brought by somebody": "referrer={first}",
        "status and language": "status=active&language=ru",
        "search: a common name": "search=anna",
        "search: a part of a name": "search=mirn",
        "search: in another alphabet": "search=%D0%B8%D0%B2%D0%B0%D0%BD",
        "search: a username": "search=%40anna_b",
        "search: two names": "search=maria+brown",
        "search: nobody": "search=qqxyzz",
        "search: an id": "search={first}",
        "search: a name, banned": "search=anna&status=banned",
    },
    "events": {
        "a common type": "type=message",
        "a rare type": "type=gift.sent",
        "a person": "user={second}",
        "a day": "from={day}&to={day}",
        "up to an old day": "to={day}",
        "a type on a day": "type=command&from={day}&to={day}",
        "a type of a person": "type=command&user={second}",
    },
}
"""How the two big lists are narrowed."""
ELSEWHERE = ("bots",)
"""Pages that wait for Telegram."""
EXPORTS = ("/users/users.csv", "/users/users.xlsx")


class Ask(NamedTuple):
    """One address, and what it is called in the table."""

    label: str
    path: str


def asks(app: Flask, today: date) -> list[Ask]:
    """Every page; the lists at the first page and at a deep one, narrowed and sorted."""
    words: dict[str, object] = {
        name: today - timedelta(days=days)
        for name, days in (("week", 6), ("month", 30), ("day", 200))
    }
    words |= {"first": telegram_id(1), "second": telegram_id(2)}
    found = []
    for view in app.extensions["admin"][0]._views:
        if view.endpoint in ELSEWHERE:
            continue
        if not isinstance(view, Table):
            found.append(Ask(view.name, f"{(view.url or '').rstrip('/')}/"))
            continue
        for (way, query), place in product(_ways(view), (0, DEEP)):
            found.append(_ask(view, way, query.format(**words), place))
    return found


def _ways(view: Table) -> Iterator[tuple[str, str]]:
    yield "all", ""
    yield from WAYS.get(view.endpoint, {}).items()
    for place, (column, name) in enumerate(view._list_columns):
        if view.is_sortable(column):
            yield f"by {name}", f"sort={place}"
            yield f"by {name}, backwards", f"sort={place}&desc=1"


def _ask(view: Table, way: str, query: str, place: int) -> Ask:
    arguments = "&".join(filter(None, (query, f"page={place}" if place else "")))
    label = f"{view.name}: {way}{f', page {place + 1:,}' if place else ''}"
    return Ask(label, f"{view.url}/{f'?{arguments}' if arguments else ''}")
