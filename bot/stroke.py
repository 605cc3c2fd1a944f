"""One stroke: what a group of plain entries leaves behind, as a single statement for PostgreSQL.

Each statement of its own would be a journey to the server and back. The statement is a transaction
by itself: done marks, counters and events come about together or not at all.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from itertools import count
from typing import TYPE_CHECKING, Any

from bot import codec
from bot.lease import Fenced, Lease
from database import db, minute
from services.arrays import numbers, texts

if TYPE_CHECKING:
    from bot.ledger import Entry

SQL = """
WITH held AS MATERIALIZED (
    {proof}
), marked AS (
    UPDATE inbox SET state = 'done', payload = NULL, done_at = %s::timestamp
    WHERE bot_id = %s AND state = 'new' AND update_id = ANY(%s::bigint[])
        AND EXISTS (SELECT 1 FROM held)
    RETURNING update_id
), counted AS (
    UPDATE users SET total_messages = total_messages + seen.messages, last_activity_at = CASE
        WHEN last_activity_at >= %s::timestamp AND last_activity_at < %s::timestamp
        THEN last_activity_at ELSE %s::timestamp END
    FROM (
        SELECT user_id, SUM(messages) AS messages
        FROM unnest(%s::bigint[], %s::int[], %s::int[]) AS met (update_id, user_id, messages)
        JOIN marked USING (update_id) GROUP BY user_id
    ) AS seen WHERE users.id = seen.user_id
), tracked AS (
    INSERT INTO analytics_events (event_type, user_id, data, created_at, updated_at)
    SELECT event_type, user_id, data, %s::timestamp, %s::timestamp
    FROM unnest(%s::bigint[], %s::text[], %s::int[], %s::json[])
        AS event (update_id, event_type, user_id, data)
    JOIN marked USING (update_id)
)
SELECT (SELECT COUNT(*) FROM held), (SELECT COUNT(*) FROM marked)
"""

_PLACE = re.compile(r"%s(::\w+(?:\[\])?)?")


def is_plain(entry: Entry) -> bool:
    """Whether a done mark, a counter and events are all that an entry leaves behind."""
    more = entry.payload or entry.change or entry.failure or entry.letters
    return not more and entry.state == "done" and entry.item.state == "new"


def statement(
    lease: Lease, entries: Sequence[Entry], at: datetime
) -> tuple[str, tuple[object, ...]]:
    """The statement for plain entries of one bot, and its values.

    It gives one row: how many leases it found held, 0 or 1, and how many rows were still open.
    """
    proof, holder = lease.proof()
    return SQL.format(proof=proof), (*holder, *_values(entries, at))


def prepare(lease: Lease) -> tuple[str, str]:
    """What a connection is to be told so that `call` finds the statement read and planned."""
    numbers = count(1)
    sql = SQL.format(proof=lease.proof()[0])
    numbered = _PLACE.sub(lambda place: f"${next(numbers)}{place[1] or ''}", sql)
    return "SET plan_cache_mode = force_generic_plan", f"PREPARE stroke AS {numbered}"


def call(
    lease: Lease, entries: Sequence[Entry], at: datetime, *, anew: bool = False
) -> tuple[str, tuple[object, ...]]:
    """The same as `statement`, for a connection that was prepared.

    `anew` has it planned anew: what is quick on small tables walks through the whole of big ones.
    """
    proof, holder = lease.proof()
    return _call_sql(proof, anew), (*holder, *_values(entries, at))


@lru_cache(maxsize=2)
def _call_sql(proof: str, anew: bool) -> str:
    places = (place[0] for place in _PLACE.finditer(SQL.format(proof=proof)))
    call = f"EXECUTE stroke ({', '.join(places)})"
    return f"DISCARD PLANS; {call}" if anew else call


def _values(entries: Sequence[Entry], at: datetime) -> list[object]:
    bot_id = entries[0].item.bot_id
    met = [(e.item.update_id, e.item.user.id, int(e.counted)) for e in entries if e.item.user]
    events = [
        (entry.item.update_id, kind, user_id, codec.dumps(data))
        for entry in entries
        for kind, user_id, data in entry.events
    ]
    ids = [entry.item.update_id for entry in entries]
    tracked, kinds, users, data = _columns(events, 4)
    return [
        *(at, bot_id, numbers(ids), *minute(at), at, *map(numbers, _columns(met, 3))),
        *(at, at, numbers(tracked), texts(kinds), numbers(users), texts(data)),
    ]


def commit(lease: Lease, entries: Sequence[Entry], at: datetime) -> None:
    """Commit plain entries of one bot. Raises Fenced when the lease is not held any more."""
    held, _marked = db.execute_sql(*statement(lease, entries, at)).fetchone()
    if not held:
        raise Fenced(lease.name)


def _columns(rows: Sequence[tuple[Any, ...]], width: int) -> Sequence[tuple[Any, ...]]:
    return list(zip(*rows)) or [()] * width
