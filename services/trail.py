"""The trail: entries of the audit log, newest first, found by who, what, to what and when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from peewee import fn

from database import db
from services.figures import bounds
from staff import Admin, AuditEntry

SIZE = 50
WINDOW = 2000
"""Entries that one search looks through."""
NEWEST = 2**63 - 1
ACTIONS = """
    WITH RECURSIVE found(action) AS (
        SELECT MIN(action) FROM audit
        UNION ALL
        SELECT (SELECT MIN(audit.action) FROM audit WHERE audit.action > found.action)
        FROM found WHERE found.action IS NOT NULL
    )
    SELECT action FROM found WHERE action IS NOT NULL
"""
"""Hops through the index from word to word."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries; what is empty asks for nothing. `before` is the id that a page ends at."""

    admin_id: int | None = None
    action: str = ""
    target: str = ""
    day: date | None = None
    words: str = ""
    before: int = NEWEST


@dataclass(frozen=True, slots=True)
class Page:
    """Entries, and the id at which the next page begins, None when there is none."""

    entries: Sequence[AuditEntry]
    older: int | None


def page(wanted: Wanted, *, window: int = WINDOW) -> Page:
    """A page of entries, by one or two looks at an index; a search sees `window` entries."""
    query = _chosen(wanted)
    if not wanted.words:
        return _cut(list(query.limit(SIZE + 1)), None)
    edge = query.select(AuditEntry.id).offset(window - 1).limit(1).scalar()
    if edge is not None:
        query = query.where(AuditEntry.id >= edge)
    for word in wanted.words.split()[:5]:
        query = query.where(_holds(word))
    return _cut(list(query.limit(SIZE + 1)), edge)


def actions() -> list[str]:
    """Every kind of deed that there is an entry of."""
    return [action for (action,) in db.execute_sql(ACTIONS).fetchall()]


def people() -> list[Admin]:
    """The accounts, to choose one of."""
    return list(Admin.select(Admin.id, Admin.name).order_by(fn.LOWER(Admin.name)))


def _chosen(wanted: Wanted) -> Any:
    query = AuditEntry.select().where(AuditEntry.id < wanted.before)
    if wanted.admin_id is not None:
        query = query.where(AuditEntry.admin_id == wanted.admin_id)
    if wanted.action:
        query = query.where(AuditEntry.action == wanted.action)
    if wanted.target:
        query = query.where(AuditEntry.target == wanted.target)
    if wanted.day:
        since, until = bounds(wanted.day)
        query = query.where(AuditEntry.at >= since, AuditEntry.at < until)
    return query.order_by(AuditEntry.id.desc())


def _holds(word: str) -> Any:
    """Whether an entry has a word somewhere."""
    texts: list[Any] = [AuditEntry.actor, AuditEntry.action, AuditEntry.target]
    texts += [
        AuditEntry.address,
        *(field.cast("TEXT") for field in (AuditEntry.before, AuditEntry.after)),
    ]
    found = texts[0].contains(word)
    for text in texts[1:]:
        found |= text.contains(word)
    return found


def _cut(entries: list[AuditEntry], edge: int | None) -> Page:
    """The page of what was found; a search goes on below its window."""
    if len(entries) > SIZE:
        return Page(entries[:SIZE], int(entries[SIZE - 1].id))
    return Page(entries, edge)
