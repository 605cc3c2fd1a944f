"""What the panel is asked when its speed is measured, and tested: every list in every way."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import product
from typing import NamedTuple

DEEP = 10_000
"""The page that stands for all the deep ones; 0 is the first."""
USERS: dict[str, str] = {
    "all": "",
    "status active": "status=active",
    "status banned": "status=banned",
    "role user": "role=user",
    "role owner": "role=owner",
    "language": "language=ru",
    "seen this week": "seen_from={week}",
    "seen before this month": "seen_to={month}",
    "a common source": "source=blog",
    "a rare source": "source=link-77",
    "referrer": "referrer=1",
    "status and language": "status=active&language=ru",
    "search: a common name": "search=anna",
    "search: a part, anywhere": "search=mirnov",
    "search: a username": "search=%40anna_b",
    "search: two names": "search=maria+brown",
    "search: nobody": "search=qqxyzz",
    "search: an id": "search=2919451440",
    "search and status": "search=anna&status=banned",
}
EVENTS: dict[str, str] = {
    "all": "",
    "a common type": "event_type=message",
    "a rare type": "event_type=gift.sent",
    "user": "user=2",
    "day": "created_at_from={day}&created_at_to={day}",
    "up to an old day": "created_at_to={day}",
    "type and day": "event_type=command&created_at_from={day}&created_at_to={day}",
    "type and user": "event_type=command&user=2",
}


EXPORTS = ("/users/export/csv", "/users/export/xlsx")


class Ask(NamedTuple):
    """One address, and what it is called in the table."""

    label: str
    path: str


def asks(today: date) -> list[Ask]:
    """Every list with its filters, searches and sorts, at the first page and at a deep one."""
    days = {"week": today - timedelta(days=6), "month": today - timedelta(days=30)}
    days["day"] = today - timedelta(days=200)
    found = [Ask("Overview", "/")]
    for page, ways in (("users", USERS), ("events", EVENTS)):
        for (way, query), place in product(ways.items(), (0, DEEP)):
            found.append(_ask(page, way, query.format(**days), place))
    return found


def _ask(page: str, way: str, query: str, place: int) -> Ask:
    arguments = "&".join(filter(None, (query, f"page={place}" if place else "")))
    label = f"{page.capitalize()}: {way}{f', page {place + 1:,}' if place else ''}"
    return Ask(label, f"/{page}/{f'?{arguments}' if arguments else ''}")
