"""Snapshots: the rows of every table as they were at one moment, while others go on writing."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any, Protocol

import peewee
import psycopg2
from psycopg2.extensions import ISOLATION_LEVEL_REPEATABLE_READ

from database import Database, Sqlite

BATCH = 2000


class Reader(Protocol):
    """Runs a reading statement on the snapshot; its parameters are written ?."""

    def __call__(self, sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows."""


@contextmanager
def snapshot(database: Database) -> Iterator[Reader]:
    """A reader on a connection of its own, all of whose statements see the same moment.

    It takes no lock that a writer waits for.
    """
    opened = _sqlite(database) if isinstance(database, Sqlite) else _postgres(database)
    with opened as reader:
        yield reader


def rows(
    read: Reader, model: type[peewee.Model], *, batch: int = BATCH
) -> Iterator[dict[str, Any]]:
    """Every row of a table by its columns, as Python has them, in the order of the key."""
    fields = model._meta.sorted_fields
    keys = _keys(model)
    names = ", ".join(f'"{field.column_name}"' for field in fields)
    order = ", ".join(f'"{key.column_name}"' for key in keys)
    places = [place for key in keys for place, field in enumerate(fields) if field is key]
    where, last = "", list[Any]()
    while True:
        found = read(
            f'SELECT {names} FROM "{model._meta.table_name}" {where} ORDER BY {order}'
            f" LIMIT {batch}",
            last,
        )
        for row in found:
            yield {
                field.column_name: _value(field, value)
                for field, value in zip(fields, row, strict=True)
            }
        if len(found) < batch:
            return
        where = f"WHERE ({order}) > ({', '.join('?' for _ in keys)})"
        last = [found[-1][place] for place in places]


def _value(field: peewee.Field[Any], value: Any) -> Any:
    return None if value is None else field.python_value(value)  # type: ignore[no-untyped-call]


def _keys(model: type[peewee.Model]) -> list[peewee.Field[Any]]:
    key: Any = model._meta.primary_key
    if isinstance(key, peewee.CompositeKey):
        return [model._meta.fields[name] for name in key.field_names]
    return [key]


@contextmanager
def _sqlite(database: Sqlite) -> Iterator[Reader]:
    with closing(sqlite3.connect(f"file:{database.path}?mode=ro", uri=True, timeout=10)) as own:
        own.isolation_level = None
        own.execute("BEGIN")
        own.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()  # the snapshot begins here
        yield lambda sql, params=(): own.execute(sql, params).fetchall()


@contextmanager
def _postgres(database: Database) -> Iterator[Reader]:
    own: psycopg2.extensions.connection
    with closing(database._adapter.connect(database, **database.connect_params)) as own:
        own.set_session(ISOLATION_LEVEL_REPEATABLE_READ, readonly=True, autocommit=False)
        with own.cursor() as cursor:

            def read(sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
                cursor.execute(sql.replace("?", "%s"), params)
                return cursor.fetchall()

            yield read
