"""How the bot is, as the database shows it: what waits, and whether a process acts for it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import peewee

from models import Inbox, Lease

OPEN = ("queued", "new", "replying")
"""The states of updates that are not done; an index of the inbox has just these."""


def wait(at: datetime) -> float:
    """Seconds for which the oldest open update has been waiting; 0 when none is."""
    states = ", ".join(f"'{state}'" for state in OPEN)
    is_open = peewee.SQL(f"state IN ({states})")
    oldest = Inbox.select(peewee.fn.MIN(Inbox.received_at)).where(is_open).scalar()
    return _since(oldest, at) if oldest else 0.0


def silence(bots: Iterable[int], at: datetime) -> float | None:
    """Seconds since a process last said that it acts for a bot, of the worst; None: for one never.

    Who acts for a bot beats its lease once a second.
    """
    names = [f"poller:{bot}" for bot in bots]
    held = (Lease.name.in_(names)) & (Lease.owner != "")
    beats = [lease.updated_at for lease in Lease.select(Lease.updated_at).where(held)]
    return _since(min(beats), at) if len(beats) == len(names) else None


def _since(then: datetime, at: datetime) -> float:
    return max(0.0, (at - then).total_seconds())
