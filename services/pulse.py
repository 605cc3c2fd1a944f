"""The pulse: what waits at the moment, and which process acts for each bot."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from peewee import fn

from database import as_param, db
from models import Inbox, Lease

MOST = 10_000
"""What waits is counted up to here, so that a backlog does not make the count slow."""
POLLER = "poller:"
SILENT = 10.0
"""Seconds without a beat after which a holder is gone, or its database was away."""

_OPEN = f"FROM inbox WHERE {Inbox.OPEN.sql}"
_COUNTED = (
    _OPEN,
    "FROM notices WHERE due_at <= ?",
    "FROM messages WHERE state IN ('queued', 'sending')",
    "FROM messages WHERE state = 'received' AND read_at IS NULL",
    "FROM failures WHERE state = 'open'",
)


class Waiting(NamedTuple):
    """What waits; a number over MOST means: that many or more."""

    inbox: int
    notices: int
    outgoing: int
    unread: int
    failures: int
    oldest: float
    """The age in seconds of the oldest update in the inbox; 0 when there is none."""


class Poller(NamedTuple):
    """The lease of a bot: its holder, and how long ago the last beat was, in seconds."""

    bot_id: int
    owner: str
    ago: float
    beat_at: datetime

    @property
    def state(self) -> str:
        """In one word how it is."""
        if not self.owner:
            return "stopped"
        return "silent" if self.ago > SILENT else "running"

    @property
    def place(self) -> str:
        """The holder for people: its host and its pid."""
        host, *_, pid, _start = [*self.owner.split("/"), "", "", ""][:4]
        return f"{host}, process {pid}" if pid else host


def waiting(at: datetime) -> Waiting:
    """What waits, by one statement over indexes that hold only that."""
    limit = MOST + 1
    parts = [f"(SELECT COUNT(*) FROM (SELECT 1 {rows} LIMIT {limit}) AS seen)" for rows in _COUNTED]
    oldest = f"(SELECT MIN(received_at) FROM (SELECT received_at {_OPEN} LIMIT {limit}) AS seen)"
    sql = f"SELECT {', '.join([*parts, oldest])}".replace("?", db.param)
    row: tuple[Any, ...] = db.execute_sql(sql, (as_param(at),)).fetchone()
    inbox, notices, outgoing, unread, failures, received = row
    return Waiting(inbox, notices, outgoing, unread, failures, _age(received, at))


def pollers(at: datetime) -> list[Poller]:
    """Who acts for each bot that was ever polled here."""
    leases = Lease.select().where(Lease.name.startswith(POLLER)).order_by(Lease.name)
    found = []
    for lease in leases:
        number = lease.name.removeprefix(POLLER)
        if number.isdecimal():
            beat_at = lease.updated_at
            found.append(Poller(int(number), lease.owner, _age(beat_at, at), beat_at))
    return found


def poller(bot_id: int, at: datetime) -> Poller | None:
    """Who acts for one bot; None when that was never anybody."""
    return next((each for each in pollers(at) if each.bot_id == bot_id), None)


def wait(at: datetime) -> float:
    """Seconds for which the oldest open update has been waiting; 0 when none is."""
    return _age(Inbox.select(fn.MIN(Inbox.received_at)).where(Inbox.OPEN).scalar(), at)


def silence(bots: Iterable[int], at: datetime) -> float | None:
    """Seconds since a process last said that it acts for a bot, of the worst; None: for one none.

    Who acts for a bot beats its lease once a second.
    """
    ago = {each.bot_id: each.ago for each in pollers(at) if each.owner}
    found = [ago.get(bot_id) for bot_id in bots]
    return None if None in found else max(filter(None, found), default=0.0)


def _age(value: datetime | str | None, at: datetime) -> float:
    since = datetime.fromisoformat(value) if isinstance(value, str) else value
    return max(0.0, (at - since).total_seconds()) if since else 0.0
