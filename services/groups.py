"""Failures in groups: the same error in the same place, found by index however many there are."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from database import db
from models import Failure
from services import failures

MOST = 1000
"""Groups that are looked at."""
COUNTED = 1000
"""Failures of a group up to which they are counted."""
BATCH = 100
"""Failures that are replayed or dismissed in one transaction."""
OPEN = Failure.state == "open"


class Group(NamedTuple):
    """Failures of one kind; counts of more than COUNTED are COUNTED + 1."""

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


def fingerprints(*, only_open: bool = True) -> dict[str, int]:
    """The id of the newest failure of each group, the newest group first."""
    found = dict(db.execute_sql(walk(only_open=only_open)).fetchall())
    return dict(sorted(found.items(), key=lambda pair: -pair[1]))


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


def shown(newest: Iterable[int]) -> list[Group]:
    """The groups whose newest failures have these ids, in this order."""
    wanted = list(newest)
    if not wanted:
        return []
    rows = {row.id: row for row in Failure.select().where(Failure.id.in_(wanted))}
    return [_group(rows[each]) for each in wanted if each in rows]


def group(fingerprint: str) -> Group | None:
    """One group, or None; its newest open failure stands for it, without one the newest."""
    mine = Failure.select().where(Failure.fingerprint == fingerprint)
    row = _newest(mine.where(OPEN)) or _newest(mine)
    return _group(row) if row else None


def members(fingerprint: str, *, before: int | None = None, size: int = 20) -> list[Failure]:
    """The newest failures of a group, or those before an id."""
    query = Failure.select().where(Failure.fingerprint == fingerprint)
    if before is not None:
        query = query.where(Failure.id < before)
    return list(query.order_by(Failure.fingerprint.desc(), Failure.id.desc()).limit(size))


def newest_open(fingerprint: str) -> int:
    """The id of the newest open failure of a group; what fails from now on comes after it."""
    row = _newest(members_open(fingerprint))
    return row.id if row else 0


def members_open(fingerprint: str) -> Any:
    """A query for the open failures of a group."""
    return Failure.select(Failure.id).where(OPEN, Failure.fingerprint == fingerprint)


def step(fingerprint: str, act: str, after: int, last: int) -> Step:
    """Replay or dismiss the next open failures of a group, oldest first, in one transaction."""
    query = members_open(fingerprint).where(Failure.id > after, Failure.id <= last)
    ids = [row.id for row in query.order_by(Failure.fingerprint, Failure.id).limit(BATCH)]
    with db.atomic():
        done = sum(ACTS[act](each) for each in ids)
    return Step(done, len(ids) - done, ids[-1] if len(ids) == BATCH else None)


ACTS = {"replay": failures.replay, "dismiss": failures.dismiss}


def _newest(query: Any) -> Failure | None:
    found: Failure | None = query.order_by(Failure.fingerprint.desc(), Failure.id.desc()).first()
    return found


def _group(row: Failure) -> Group:
    mine = Failure.select(Failure.id).where(Failure.fingerprint == row.fingerprint)
    first = Failure.select(Failure.created_at).where(Failure.fingerprint >= row.fingerprint)
    first_at = first.order_by(Failure.fingerprint, Failure.id).limit(1).scalar()
    return Group(row.fingerprint, row, first_at, _count(mine), _count(mine.where(OPEN)))


def _count(query: Any) -> int:
    return int(query.limit(COUNTED + 1).count())
