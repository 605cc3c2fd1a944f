"""The cards of the overview: each one number with its name, a note and a tone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TypedDict

from services import figures
from services.figures import Figures
from services.pulse import MOST, Poller, Waiting

SLOW, STUCK = 10.0, 60.0
"""Seconds that the oldest update may wait before somebody should look."""


class Card(TypedDict):
    """What is shown; `tone` is good, warn, bad or empty."""

    key: str
    label: str
    value: str
    note: str
    tone: str


def of(
    found: Figures,
    lines: Mapping[str, Sequence[float | None]],
    waiting: Waiting,
    pollers: Sequence[Poller],
) -> list[Card]:
    """All cards, in their order."""
    return [
        *_people(found),
        _card(
            "messages", "Messages today", whole(lines["messages"][-1]), _before(lines, "messages")
        ),
        _card("new", "New today", whole(lines["new"][-1]), _before(lines, "new")),
        _errors(lines, waiting),
        _response(lines),
        _inbox(waiting),
        poller(pollers),
        _queue(waiting),
    ]


def _card(key: str, label: str, value: str, note: str = "", tone: str = "") -> Card:
    return Card(key=key, label=label, value=value, note=note, tone=tone)


def _people(found: Figures) -> list[Card]:
    statuses = {status.value: newest(found[name]) for status, name in figures.PEOPLE.items()}
    note = ", ".join(f"{count:,} {word}" for word, count in statuses.items() if word != "active")
    lately = {period: newest(found[name]) for period, name in figures.LATELY.items()}
    return [
        _card("users", "Users", f"{sum(statuses.values()):,}", note),
        _card("day", "Active in 24 hours", f"{lately['day']:,}"),
        _card("week", "Active in 7 days", f"{lately['week']:,}"),
        _card("month", "Active in 30 days", f"{lately['month']:,}"),
    ]


def _before(lines: Mapping[str, Sequence[float | None]], name: str) -> str:
    return f"{whole(lines[name][-2])} yesterday"


def _errors(lines: Mapping[str, Sequence[float | None]], waiting: Waiting) -> Card:
    count = lines["errors"][-1]
    note = f"{bounded(waiting.failures)} failures are open"
    return _card("errors", "Errors today", whole(count), note, "bad" if count else "good")


def _response(lines: Mapping[str, Sequence[float | None]]) -> Card:
    mean = lines["response"][-1]
    value = "–" if mean is None else f"{mean:,.0f} ms"
    return _card("response", "Response time today", value, "on average")


def _inbox(waiting: Waiting) -> Card:
    tone = "bad" if waiting.oldest > STUCK else "warn" if waiting.oldest > SLOW else "good"
    note = f"the oldest for {span(waiting.oldest)}" if waiting.inbox else "nothing waits"
    return _card("inbox", "Inbox", bounded(waiting.inbox), note, tone)


def poller(pollers: Sequence[Poller]) -> Card:
    """Whether somebody fetches what people write."""
    if not pollers:
        return _card("poller", "Poller", "none", "no bot has run yet", "warn")
    running = [each for each in pollers if each.state == "running"]
    worst = min(pollers, key=lambda each: each.state == "running")
    note = f"bot {worst.bot_id}: last beat {span(worst.ago)} ago"
    if len(running) < len(pollers):
        value = worst.state if len(pollers) == 1 else f"{len(running)} of {len(pollers)}"
        return _card("poller", "Poller", value, note, "bad")
    value = "running" if len(pollers) == 1 else f"{len(running)} running"
    return _card("poller", "Poller", value, f"{worst.place}, {span(worst.ago)} ago", "good")


def _queue(waiting: Waiting) -> Card:
    note = f"{bounded(waiting.notices)} notices, {bounded(waiting.outgoing)} messages"
    count = waiting.notices + waiting.outgoing
    return _card("queue", "Waiting to be sent", bounded(count), note)


def newest(values: Mapping[date, int]) -> int:
    """The value of the latest day that has one."""
    return values[max(values)] if values else 0


def bounded(count: int) -> str:
    """A number that was counted up to a bound."""
    return f"{MOST:,}+" if count > MOST else f"{count:,}"


def whole(value: float | None) -> str:
    """A number of a line."""
    return f"{value or 0:,.0f}"


def span(seconds: float) -> str:
    """A time as a person says it."""
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
