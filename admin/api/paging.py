"""Pages of long lists, newest first: each begins behind the last row of the one before."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, NamedTuple, TypeAlias

import peewee
from marshmallow import fields

from admin.api.fields import Asked, Text, Told, Whole
from database import EPOCH

LARGEST = 100
BY_ID = r"^[0-9a-f]{1,15}$"
BY_TIME = r"^[0-9a-f]{1,13}-[0-9a-f]{1,15}$"
TICK = timedelta(microseconds=1)

Row: TypeAlias = Any


class Slice(NamedTuple):
    """The rows of a page, and where the next one begins; None on the last."""

    items: list[Row]
    next: str | None


class Paged(Asked):
    """What every list may be asked for."""

    limit = Whole(1, LARGEST, digits=True, load_default=50, metadata={"default": 50})
    cursor = Text(15, shortest=1, pattern=BY_ID, metadata={"description": "`next` of a page."})


class PagedByTime(Paged):
    """The same of what is in the order of time."""

    cursor = Text(29, shortest=1, pattern=BY_TIME, metadata={"description": "`next` of a page."})


class SliceOut(Told):
    """A page: its rows, and the cursor of the next one, null on the last."""

    next = fields.String(allow_none=True)


def by_id(query: Any, model: type[peewee.Model], limit: int, cursor: str | None = None) -> Slice:
    """A page of a query in the order of the ids. Counts nothing and skips nothing."""
    key: Any = model._meta.primary_key
    if cursor:
        query = query.where(key < int(cursor, 16))
    rows = list(query.order_by(key.desc()).limit(limit + 1))
    more = len(rows) > limit
    return Slice(rows[:limit], f"{rows[limit - 1].id:x}" if more else None)


def by_time(
    query: Any,
    model: type[peewee.Model],
    limit: int,
    cursor: str | None = None,
    *,
    by_key: bool = False,
) -> Slice:
    """A page of a query in the order of time, as the index on it has the rows.

    `by_key` takes the order of the keys instead, for what another index has in that one.
    """
    key: Any = model._meta.primary_key
    at: Any = model._meta.fields["created_at"]
    if cursor:
        ticks, _, last = cursor.partition("-")
        moment, before = EPOCH + int(ticks, 16) * TICK, key < int(last, 16)
        later = before if by_key else (at <= moment) & ((at < moment) | ((at == moment) & before))
        query = query.where(later)
    order = [key.desc()] if by_key else [at.desc(), key.desc()]
    rows = list(query.order_by(*order).limit(limit + 1))
    if len(rows) <= limit:
        return Slice(rows, None)
    last_row = rows[limit - 1]
    return Slice(rows[:limit], f"{(last_row.created_at - EPOCH) // TICK:x}-{last_row.id:x}")
