"""The inbox: an update is committed here before Telegram is told that we have it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeAlias

import peewee

from bot import codec
from bot.raw import Raw, kind_of, lane_of, sender_of
from database import as_param, current, db, now
from models import User
from services import arrays
from services.chats import Chats
from services.users import People

if TYPE_CHECKING:
    from bot.lease import Lease

LaneKey: TypeAlias = tuple[int, int]

OURS = "done_at IS NULL AND state <> 'queued'"
"""What waits, and was accepted by the process that acts for the bot."""
UNCOUNTED = "ProcessKilled"
"""The failure of an update that was set aside: it was never counted, so a replay counts it."""
KEPT = timedelta(days=7)
"""How long ids stay for recognition: Telegram may restart them at random after an idle week."""


@dataclass(slots=True)
class Item:
    """One accepted update on its way through a lane."""

    bot_id: int
    update_id: int
    lane: int
    kind: str
    update: Raw
    state: str = "new"
    attempts: int = 0
    recovered: bool = False
    """Read back from the table: a start of its handler is written down before it runs."""
    rounds: int = 0
    waits: int = 0
    """How often in a row its handler met an outage although our database answers."""
    replayed: bool = False
    """Put back by a person after its handler failed: it was counted then."""
    passed: bool = False
    """The throttle let it through: it does not pay again when it runs again."""
    user: User | None = None
    received: datetime | None = None
    trace: Any = None
    """The span of the poll that brought it, when there are traces."""
    key: LaneKey = field(init=False)
    """Its lane: the bot and the chat."""

    def __post_init__(self) -> None:
        self.key = (self.bot_id, self.lane)

    @property
    def id(self) -> tuple[int, int]:
        """Its key in the table: the bot and Telegram's number."""
        return (self.bot_id, self.update_id)


class Inbox:
    """Accepts batches of updates, gives them back after a crash, and forgets old ids."""

    def __init__(
        self,
        people: People,
        chats: Chats,
        *,
        leases: Mapping[int, Lease] | None = None,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self.people = people
        self.chats = chats
        self.leases = {} if leases is None else leases
        self.clock = clock

    def accept(
        self,
        bot_id: int,
        updates: Iterable[Raw],
        *,
        idle: Callable[[LaneKey], bool] = lambda key: False,
        threads: int = 2**31,
    ) -> list[Item]:
        """Commit a batch and its senders in one transaction; give back those not seen before.

        `idle` says that nothing of a lane is waiting: its first update begins at once.

        Raises Fenced when another process has the bot's lease, and what the database raises; then
        nothing of the batch is kept and Telegram must not be told that we have it.
        """
        items = _items(bot_id, updates)
        if not items:
            return []
        first = {item.key: item for item in reversed(items)}
        for item in [item for item in reversed(first.values()) if idle(item.key)][:threads]:
            item.attempts = 1  # more than there are threads cannot begin at once
        at = self.clock()
        try:
            with current().atomic():
                if lease := self.leases.get(bot_id):
                    lease.check()
                fresh = self._insert(items, at)
                for item in fresh:
                    item.received = at
                self._meet(fresh, at)
                self.chats.meet(bot_id, (item.update for item in fresh), now=at)
        except BaseException:
            self.chats.forget()
            raise
        return fresh

    def load(self, key: LaneKey, skip: set[int], limit: int) -> list[Item]:
        """The next open updates of a lane, oldest first, without those held in memory."""
        bot_id, lane = key
        rows = db.execute_sql(
            _sql(
                "SELECT update_id, kind, payload, state, attempts, received_at FROM inbox"
                f" WHERE bot_id = ? AND lane = ? AND {OURS} ORDER BY update_id LIMIT ?"
            ),
            (bot_id, lane, limit + len(skip)),
        ).fetchall()
        items = [
            Item(bot_id, number, lane, kind, codec.loads(payload), state, attempts, True)
            for number, kind, payload, state, attempts, _ in rows
            if number not in skip
        ]
        items = items[:limit]
        times = {number: at for number, *_, at in rows}
        replayed = _replayed(bot_id, [item.update_id for item in items])
        for item in items:
            errors = replayed.get(item.update_id, set())
            item.passed, item.replayed = bool(errors), bool(errors - {UNCOUNTED})
            item.received = _time(times[item.update_id])
        self._meet([item for item in items if item.state == "new"], self.clock())
        return items

    def waiting(self, bot_id: int) -> list[LaneKey]:
        """Every lane of a bot that has open updates: what a crash or a stop left behind."""
        rows = db.execute_sql(
            _sql(f"SELECT DISTINCT lane FROM inbox WHERE bot_id = ? AND {OURS}"),
            (bot_id,),
        ).fetchall()
        return [(bot_id, lane) for (lane,) in rows]

    def claim(self, bot_id: int) -> list[LaneKey]:
        """Take over the updates that another process put in; give back their lanes.

        Raises Fenced when another process has the bot's lease; then they are left to that one.
        """
        with db.atomic():
            rows = db.execute_sql(
                _sql(
                    "UPDATE inbox SET state = 'new' WHERE bot_id = ?"
                    " AND done_at IS NULL AND state = 'queued' RETURNING lane"
                ),
                (bot_id,),
            ).fetchall()
            if rows and (lease := self.leases.get(bot_id)):  # mostly there are none
                lease.check()
        return sorted({(bot_id, lane) for (lane,) in rows})

    def reload(self, item: Item) -> bool:
        """Read an update's state and payload again; False when it is done."""
        row = db.execute_sql(
            _sql(f"SELECT state, payload FROM inbox WHERE bot_id = ? AND update_id = ? AND {OURS}"),
            item.id,
        ).fetchone()
        if row:
            item.state, item.update = row[0], codec.loads(row[1])
        return bool(row)

    def start(self, item: Item) -> None:
        """Write down that the handler of a recovered update is about to run."""
        item.attempts += 1
        db.execute_sql(
            _sql("UPDATE inbox SET attempts = ? WHERE bot_id = ? AND update_id = ?"),
            (item.attempts, item.bot_id, item.update_id),
        )

    def exonerate(self, bot_id: int) -> None:
        """Forget the starts of what a clean stop left: none of it ended the process."""
        db.execute_sql(
            _sql(f"UPDATE inbox SET attempts = 0 WHERE bot_id = ? AND {OURS}"), (bot_id,)
        )

    def depth(self) -> tuple[int, float]:
        """How many updates are open, and the age of the oldest in seconds."""
        count, oldest = db.execute_sql(
            "SELECT COUNT(*), MIN(received_at) FROM inbox WHERE done_at IS NULL"
        ).fetchone()
        if oldest is None:
            return count, 0.0
        return count, max(0.0, (self.clock() - _time(oldest)).total_seconds())

    def forget(self, *, limit: int = 5000) -> int:
        """Delete ids that are done for a week, at most `limit` in one go; give the number."""
        return int(
            db.execute_sql(
                _sql(
                    "DELETE FROM inbox WHERE (bot_id, update_id) IN (SELECT bot_id, update_id"
                    " FROM inbox WHERE done_at < ? LIMIT ?)"
                ),
                (self.clock() - KEPT, limit),
            ).rowcount
        )

    def _insert(self, items: Sequence[Item], at: datetime) -> list[Item]:
        """Put a batch into the table; gives what is new, nearly always all of it.

        SQLite is asked which those are only when one is not: to have each row tell costs it more
        than the row. PostgreSQL would undo the whole transaction.
        """
        sql, values = _insertion(items, at)
        if db.param == "?":
            with suppress(peewee.IntegrityError):
                db.execute_sql(sql, values)
                return list(items)
        rows = db.execute_sql(f"{sql} {UNSEEN}", values).fetchall()
        new = {update_id for (update_id,) in rows}
        return [item for item in items if item.update_id in new]

    def _meet(self, items: Sequence[Item], at: datetime) -> None:
        senders = [sender_of(item.update, item.kind) for item in items]
        users = self.people.meet([sender for sender in senders if sender], now=at)
        for item, sender in zip(items, senders):
            if sender:
                item.user = users.get(sender.telegram_id)


def lanes_of(bot_id: int, updates: Iterable[Raw]) -> set[LaneKey]:
    """The lanes that updates belong to."""
    return {item.key for item in _items(bot_id, updates)}


def _time(value: datetime | str) -> datetime:
    """A time as each engine gives it."""
    return datetime.fromisoformat(value) if isinstance(value, str) else value


def _replayed(bot_id: int, ids: Sequence[int]) -> dict[int, set[str]]:
    """Those of some updates that a person put back after they failed, and how they failed."""
    if not ids:
        return {}
    marks = ", ".join("?" * len(ids))
    sql = (
        f"SELECT update_id, error FROM failures WHERE bot_id = ? AND update_id IN ({marks})"
        " AND state = 'replayed'"
    )
    found: dict[int, set[str]] = {}
    for update_id, error in db.execute_sql(_sql(sql), (bot_id, *ids)).fetchall():
        found.setdefault(update_id, set()).add(error)
    return found


def _items(bot_id: int, updates: Iterable[Raw]) -> list[Item]:
    """The batch as items, in the order of their ids, each id once; what has no id is dropped."""
    items: dict[int, Item] = {}
    for update in updates:
        number = update.get("update_id") if isinstance(update, dict) else None
        if type(number) is int and abs(number) < 2**63:
            kind = kind_of(update)
            items[number] = Item(bot_id, number, lane_of(update, kind), kind, update)
    return [items[number] for number in sorted(items)]


def _sql(text: str) -> str:
    return text.replace("?", db.param)


def _insertion(items: Sequence[Item], at: datetime) -> tuple[str, list[Any]]:
    """The statement that puts a batch of one bot into the table, and its values.

    PostgreSQL takes half the time to read a column at a time; SQLite has no arrays.
    """
    bot_id = items[0].bot_id
    rows = [(i.update_id, i.lane, i.kind, codec.dumps(i.update), i.attempts) for i in items]
    if db.param == "%s":
        ids, lanes, kinds, payloads, attempts = zip(*rows)
        columns = (arrays.numbers(ids), arrays.numbers(lanes), arrays.texts(kinds))
        more = (arrays.documents(payloads), arrays.SEPARATOR, arrays.numbers(attempts))
        return INSERT.format(rows=ARRAYS), [bot_id, at, *columns, *more]
    return _insert_sql(len(rows)), [bot_id, as_param(at), *chain.from_iterable(rows)]


INSERT = """
INSERT INTO inbox (state, bot_id, received_at, update_id, lane, kind, payload, attempts) {rows}
"""
UNSEEN = "ON CONFLICT (bot_id, update_id) DO NOTHING RETURNING update_id"
ROW = "('new', ?1, ?2, ?, ?, ?, ?, ?)"
ARRAYS = """
SELECT 'new', %s, %s::timestamp, batch.*
FROM unnest(%s::bigint[], %s::bigint[], %s::text[], string_to_array(%s, %s), %s::int[]) AS batch
"""


@lru_cache(maxsize=256)
def _insert_sql(count: int) -> str:
    return INSERT.format(rows=f"VALUES {', '.join([ROW] * count)}")
