"""What the tables know of a bot: its name, who polls it, and what came of late."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from peewee import SQL

from models import Bot, Inbox
from services import pulse

COUNTED = 10_000
"""Updates up to which those that wait are counted."""


class Standing(NamedTuple):
    """A bot as the tables have it."""

    bot_id: int
    row: Bot | None
    owner: str
    """Who holds the lease: the host and the process; "" when nobody does."""
    beat_at: datetime | None
    alive: bool
    updated_at: datetime | None
    """When the newest update was received."""
    waiting: int


def standing(bot_id: int, at: datetime) -> Standing:
    """What is known of a bot at this time."""
    poller = pulse.poller(bot_id, at)
    mine = Inbox.select(Inbox.received_at).where(Inbox.bot_id == bot_id)
    newest = mine.order_by(Inbox.bot_id.desc(), Inbox.update_id.desc()).first()
    waiting = Inbox.select(SQL("1")).where(Inbox.bot_id == bot_id, Inbox.OPEN)
    return Standing(
        bot_id,
        Bot.get_or_none(Bot.id == bot_id),
        poller.place if poller else "",
        poller.beat_at if poller and poller.owner else None,
        poller is not None and poller.state == "running",
        newest.received_at if newest else None,
        int(waiting.limit(COUNTED + 1).count()),
    )


def known() -> list[int]:
    """The ids of all bots that ever ran on this database."""
    return [row.id for row in Bot.select(Bot.id).order_by(Bot.id).limit(100)]
