"""One stroke: what a group of plain entries leaves behind, as a single statement for PostgreSQL.

Each statement of its own would be a journey to the server and back. The statement is a transaction
by itself: done marks, counters and events come about together or not at all. `state || ''` keeps
the server from walking through all open updates, by an index that it takes for the shorter one.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from bot import codec
from bot.lease import Fenced, Lease
from database import db

if TYPE_CHECKING:
    from bot.ledger import Entry

SQL = """
WITH held AS MATERIALIZED (
    {proof}
), marked AS (
    UPDATE inbox SET state = 'done', payload = NULL, done_at = %s
    WHERE bot_id = %s AND state || '' = 'new' AND update_id = ANY(%s)
        AND EXISTS (SELECT 1 FROM held)
    RETURNING update_id
), counted AS (
    UPDATE users SET total_messages = total_messages + seen.messages, last_activity_at = %s
    FROM (
        SELECT user_id, SUM(messages) AS messages
        FROM unnest(%s::bigint[], %s::int[], %s::int[]) AS met (update_id, user_id, messages)
        JOIN marked USING (update_id) GROUP BY user_id
    ) AS seen WHERE users.id = seen.user_id
), tracked AS (
    INSERT INTO analytics_events (event_type, user_id, data, created_at, updated_at)
    SELECT event_type, user_id, data, %s, %s
    FROM unnest(%s::bigint[], %s::text[], %s::int[], %s::json[])
        AS event (update_id, event_type, user_id, data)
    JOIN marked USING (update_id)
)
SELECT (SELECT COUNT(*) FROM held), (SELECT COUNT(*) FROM marked)
"""


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
    bot_id = entries[0].item.bot_id
    met = [(e.item.update_id, e.item.user.id, int(e.counted)) for e in entries if e.item.user]
    events = [
        (entry.item.update_id, kind, user_id, codec.dumps(data))
        for entry in entries
        for kind, user_id, data in entry.events
    ]
    columns = [*_columns(met, 3), at, at, *_columns(events, 4)]
    ids = [entry.item.update_id for entry in entries]
    proof, holder = lease.proof()
    return SQL.format(proof=proof), (*holder, at, bot_id, ids, at, *columns)


def commit(lease: Lease, entries: Sequence[Entry], at: datetime) -> None:
    """Commit plain entries of one bot. Raises Fenced when the lease is not held any more."""
    held, _marked = db.execute_sql(*statement(lease, entries, at)).fetchone()
    if not held:
        raise Fenced(lease.name)


def _columns(rows: Sequence[tuple[object, ...]], width: int) -> list[list[object]]:
    return [list(column) for column in zip(*rows)] or [[] for _ in range(width)]
