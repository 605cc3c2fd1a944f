"""Failures in groups: the same error in the same place, found by index however many there are."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from database import db
from models import Failure
from services import audit, failures
from services.audit import Actor

MOST = 1000
"""Groups that are looked at."""
LISTED = 200
"""Failures of a group up to which a list counts them..."""
COUNTED = 10_000
"""...and up to which they are counted when one group is looked at."""
BATCH = 100
"""Failures that are replayed or dismissed in one transaction."""
ACTS = {"replay": failures.replay, "dismiss": failures.dismiss}
OPEN = Failure.state == "open"


class Group(NamedTuple):
    """Failures of one kind, with the newest; counts end one above what they are counted to."""

    fingerprint: str
    last: Failure
    first_at: datetime
    total: int
    open: int


class Step(NamedTuple):
    """What one batch came to: `after` is where the next one begins, None when there is none."""

    done: int
    skipped: int
    after: int | None


def newest(*, only_open: bool = True, plugin: str | None = None) -> list[int]:
    """The id of the newest failure of each group, or of each of a plugin, the newest first."""
    ids = sorted((row[1] for row in db.execute_sql(walk(only_open=only_open))), reverse=True)
    if plugin is None or not ids:
        return ids
    mine = Failure.select(Failure.id).where(Failure.id.in_(ids), Failure.plugin == plugin)
    return [row.id for row in mine.order_by(Failure.id.desc())]


def walk(*, only_open: bool) -> str:
    """A query that goes from group to group by the index instead of reading all failures.

    The newest of a group is the last that is not behind it: asked for by equality, a planner may
    read all failures by their ids.
    """
    mine = "state = 'open' AND" if only_open else ""
    return f"""
        WITH RECURSIVE kinds(name, place) AS (
            SELECT (SELECT fingerprint FROM failures WHERE {mine} fingerprint >= ''
                    ORDER BY fingerprint, id LIMIT 1), 1
            UNION ALL
            SELECT (SELECT fingerprint FROM failures WHERE {mine} fingerprint > kinds.name
                    ORDER BY fingerprint, id LIMIT 1), place + 1
            FROM kinds WHERE name IS NOT NULL AND place < {MOST}
        )
        SELECT name, (SELECT id FROM failures WHERE {mine} fingerprint <= kinds.name
                      ORDER BY fingerprint DESC, id DESC LIMIT 1) AS newest
        FROM kinds WHERE name IS NOT NULL
    """


def about(ids: Sequence[int], most: int = LISTED) -> list[Group]:
    """The groups that these failures stand for, in this order, counted up to so many."""
    if not ids:
        return []
    rows = {row.id: row for row in Failure.select().where(Failure.id.in_(ids))}
    sql = f"""
        SELECT mine.id,
            (SELECT id FROM failures WHERE fingerprint >= mine.fingerprint
             ORDER BY fingerprint, id LIMIT 1),
            (SELECT COUNT(*) FROM (SELECT 1 FROM failures
             WHERE fingerprint = mine.fingerprint LIMIT {most + 1}) AS counted),
            (SELECT COUNT(*) FROM (SELECT 1 FROM failures
             WHERE state = 'open' AND fingerprint = mine.fingerprint
             LIMIT {most + 1}) AS counted)
        FROM failures AS mine WHERE mine.id IN ({", ".join([db.param] * len(ids))})
    """
    counts = {row[0]: row[1:] for row in db.execute_sql(sql, list(ids))}
    oldest = Failure.select(Failure.id, Failure.created_at)
    begun = {
        row.id: row.created_at
        for row in oldest.where(Failure.id.in_([first for first, _, _ in counts.values()]))
    }
    return [
        Group(rows[each].fingerprint, rows[each], begun[counts[each][0]], *counts[each][1:])
        for each in ids
        if each in rows and each in counts
    ]


def find(fingerprint: str) -> Group | None:
    """One group, or None; its newest open failure stands for it, without one the newest."""
    mine = Failure.select(Failure.id).where(Failure.fingerprint == fingerprint)
    row = _newest(mine.where(OPEN)) or _newest(mine)
    return next(iter(about([row.id], COUNTED)), None) if row else None


def members(fingerprint: str, *, before: int | None = None, size: int = 20) -> list[Failure]:
    """The newest failures of a group, or those before an id."""
    query = Failure.select().where(Failure.fingerprint == fingerprint)
    if before is not None:
        query = query.where(Failure.id < before)
    return list(query.order_by(Failure.fingerprint.desc(), Failure.id.desc()).limit(size))


def newest_open(fingerprint: str) -> int:
    """The id of the newest open failure of a group; what fails from now on comes after it."""
    row = _newest(_open(fingerprint))
    return row.id if row else 0


def left(fingerprint: str, after: int, last: int) -> int:
    """How many failures of a group are open between two ids."""
    return int(_open(fingerprint).where(Failure.id > after, Failure.id <= last).count())


def act_on(actor: Actor, act: str, failure_id: int) -> bool:
    """Replay or dismiss one failure; False when that cannot be done."""
    with db.atomic():
        done = ACTS[act](failure_id)
        if done:
            audit.record(actor, f"failure.{act}", f"failure:{failure_id}")
    return done


def step(actor: Actor, act: str, fingerprint: str, after: int, last: int) -> Step:
    """Replay or dismiss the next open failures of a group, oldest first, in one transaction."""
    query = _open(fingerprint).where(Failure.id > after, Failure.id <= last)
    ids = [row.id for row in query.order_by(Failure.fingerprint, Failure.id).limit(BATCH)]
    with db.atomic():
        done = sum(ACTS[act](each) for each in ids)
        if done:
            facts = {"count": done, "from": ids[0], "to": ids[-1]}
            audit.record(actor, f"failure.{act}_all", f"failures:{fingerprint}", after=facts)
    return Step(done, len(ids) - done, ids[-1] if len(ids) == BATCH else None)


def _open(fingerprint: str) -> Any:
    return Failure.select(Failure.id).where(OPEN, Failure.fingerprint == fingerprint)


def _newest(query: Any) -> Failure | None:
    found: Failure | None = query.order_by(Failure.fingerprint.desc(), Failure.id.desc()).first()
    return found
