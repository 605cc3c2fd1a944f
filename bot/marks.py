"""The marks: what entries leave behind in the tables, a statement for each kind of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING

from bot import codec
from database import as_param, db, minute

if TYPE_CHECKING:
    from bot.ledger import Entry
    from models import User


class Partly(Exception):
    """Some of several rows were not as their entries found them: each is to be marked alone."""


def mark(entries: Sequence[Entry], at: datetime) -> list[Entry]:
    """Set the new states; give back the entries whose row was still as they found it.

    Raises Partly, which is rarer than it is dear to have each row tell that it was marked.
    """
    done: list[Entry] = []
    groups: dict[tuple[int, str, str], list[Entry]] = {}
    for entry in entries:
        if entry.payload is None:
            groups.setdefault((entry.item.bot_id, entry.item.state, entry.state), []).append(entry)
        elif _keep(entry, at):
            done.append(entry)
    for (bot_id, found, state), group in groups.items():
        ids = [entry.item.update_id for entry in group]
        values = (state, at, bot_id, found, *ids)
        marked = db.execute_sql(_mark_sql(len(ids), db.param), values).rowcount
        if marked == len(group):
            done += group
        elif len(group) > 1:
            raise Partly
    return done


def _keep(entry: Entry, at: datetime) -> bool:
    """Set the state of one row and keep a payload in it."""
    sql = (
        "UPDATE inbox SET state = ?, payload = ?, done_at = ?"
        " WHERE bot_id = ? AND update_id = ? AND state = ?"
    ).replace("?", db.param)
    done_at = None if entry.state == "replying" else at
    values = (entry.state, entry.payload, done_at, *entry.item.id, entry.item.state)
    return bool(db.execute_sql(sql, values).rowcount)


@lru_cache(maxsize=256)
def _mark_sql(count: int, param: str) -> str:
    ids = ", ".join([param] * count)
    return (
        f"UPDATE inbox SET state = {param}, payload = NULL, done_at = {param}"
        f" WHERE bot_id = {param} AND state = {param} AND update_id IN ({ids})"
    )


def count(entries: Sequence[Entry], at: datetime) -> None:
    """Add the group's messages to their users' counters, in the order of the users' ids."""
    counts: dict[int, int] = {}
    late: set[int] = set()
    around = minute(at)
    for entry in entries:
        if (user := entry.item.user) is not None:
            user_id = user.id
            counts[user_id] = counts.get(user_id, 0) + entry.counted
            if not _seen(user, *around):
                late.add(user_id)
    if counts:
        values = list(chain.from_iterable(sorted(counts.items())))
        db.execute_sql(_count_sql(len(counts), db.param), values)
    if late:
        db.execute_sql(_seen_sql(len(late), db.param), [at, *sorted(late), *around])


def _seen(user: User, since: datetime, until: datetime) -> bool:
    at: object = user.last_activity_at  # whatever a plugin has put there
    return isinstance(at, datetime) and at.tzinfo is None and since <= at < until


@lru_cache(maxsize=256)
def _count_sql(count: int, param: str) -> str:
    rows = ", ".join([f"({param}, {param})"] * count)
    return (
        "UPDATE users SET total_messages = total_messages + seen.column2"
        f" FROM (VALUES {rows}) AS seen WHERE users.id = seen.column1"
    )


@lru_cache(maxsize=256)
def _seen_sql(count: int, param: str) -> str:
    """Of its own, and rarely needed: SQLite writes the index anew even when nothing changes."""
    ids = ", ".join([param] * count)
    other = f"last_activity_at < {param} OR last_activity_at >= {param}"
    return (
        f"UPDATE users SET last_activity_at = {param} WHERE id IN ({ids})"
        f" AND (last_activity_at IS NULL OR {other})"
    )


def track(entries: Iterable[Entry], at: datetime) -> None:
    rows = [event for entry in entries for event in entry.events]
    if rows:
        time = as_param(at)
        values = [
            value
            for kind, user_id, data in rows
            for value in (kind, user_id, codec.dumps(data), time, time)
        ]
        db.execute_sql(_track_sql(len(rows), db.param), values)


@lru_cache(maxsize=256)
def _track_sql(count: int, param: str) -> str:
    row = f"({', '.join([param] * 5)})"
    return (
        "INSERT INTO analytics_events (event_type, user_id, data, created_at, updated_at)"
        f" VALUES {', '.join([row] * count)}"
    )
