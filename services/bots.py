"""What the tables know of a bot: its name, who polls it, and what came of late."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from peewee import SQL

from models import Bot, Inbox, Lease

ALIVE = timedelta(seconds=10)
"""Without a beat of its lease for so long a process is taken for gone."""
COUNTED = 10_000
"""Updates up to which those that wait are counted."""
WAITING = SQL("state IN ('queued', 'new', 'replying')")
"""As the index has it, not as parameters: else the index would not be used."""


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
    lease = Lease.get_or_none(Lease.name == f"poller:{bot_id}", Lease.owner != "")
    mine = Inbox.select(Inbox.received_at).where(Inbox.bot_id == bot_id)
    newest = mine.order_by(Inbox.bot_id.desc(), Inbox.update_id.desc()).first()
    waiting = Inbox.select(SQL("1")).where(Inbox.bot_id == bot_id, WAITING)
    return Standing(
        bot_id,
        Bot.get_or_none(Bot.id == bot_id),
        readable(lease.owner) if lease else "",
        lease.updated_at if lease else None,
        lease is not None and at - lease.updated_at < ALIVE,
        newest.received_at if newest else None,
        int(waiting.limit(COUNTED + 1).count()),
    )


def readable(owner: str) -> str:
    """The owner of a lease as a person reads it."""
    host, _, pid, _ = (owner.split("/") + [""] * 3)[:4]
    return f"{host}, process {pid}" if pid else host


def known() -> list[int]:
    """The ids of all bots that ever ran on this database."""
    return [row.id for row in Bot.select(Bot.id).order_by(Bot.id).limit(100)]
