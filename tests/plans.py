"""Plans: which statements were run, and which tables the engine would walk through for them."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

from database import Database
from models import User

Statement: TypeAlias = tuple[str, Any]
_PARTIAL = "inbox_open|messages_waiting|messages_unread"
"""Indexes that hold only what waits, and may be walked through."""
_MATCH = r" VIRTUAL TABLE INDEX \d+:M"
"""How SQLite says that a full-text index is looked into."""
_WALK = re.compile(
    rf"Seq Scan on (\w+)|SCAN (\w+)\b(?! USING (?:COVERING )?INDEX (?:{_PARTIAL})\b|{_MATCH})"
)
_BY = re.compile(r"Index (?:Only )?Scan (?:Backward )?using (\w+) on (\w+)")
_ALIAS = re.compile(r'"(\w+)" AS "(\w+)"')
_ASKS = re.compile(r"\s*(WITH|SELECT)\b", re.IGNORECASE)


class Listener(logging.Handler):
    """Writes down what Peewee says that it runs."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.heard: list[Statement] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a statement with its values."""
        if isinstance(record.msg, tuple):
            self.heard.append(record.msg)


@contextmanager
def statements() -> Iterator[list[Statement]]:
    """The statements that are run in the block, with their values."""
    listener, log = Listener(), logging.getLogger("peewee")
    before = log.level
    log.addHandler(listener)
    log.setLevel(logging.DEBUG)
    try:
        yield listener.heard
    finally:
        log.removeHandler(listener)
        log.setLevel(before)


def explain(database: Database, sql: str, values: Any) -> list[str]:
    """The engine's plan for a statement, line by line."""
    how = "EXPLAIN " if database.param == "%s" else "EXPLAIN QUERY PLAN "
    return [str(row[-1]) for row in database.execute_sql(how + sql, values).fetchall()]


def leave_long_ago(database: Database) -> User:
    """A person of some events on PostgreSQL, after which many more happened to nobody."""
    person = User.create(telegram_id=1, first_name="Ada")
    for user_id, count in ((str(person.id), 2000), ("NULL", 20_000)):
        database.execute_sql(
            "INSERT INTO analytics_events (event_type, user_id, created_at, updated_at)"
            f" SELECT 'message', {user_id}, now(), now() FROM generate_series(1, {count})"
        )
    database.execute_sql("ANALYZE analytics_events")
    return person


def scans(database: Database, run: list[Statement], table: str) -> set[str]:
    """The indexes by which PostgreSQL finds the rows of a table for some statements."""
    lines = [line for sql, values in run if table in sql for line in explain(database, sql, values)]
    return {found[1] for line in lines if (found := _BY.search(line)) and table in found[2]}


def walks(database: Database, run: list[Statement], *, small: set[str]) -> set[str]:
    """The tables that some statements walk through from end to end, but for the small ones.

    PostgreSQL is told to use an index where it can: the tables of a test are too small for it to
    want to.
    """
    found: set[str] = set()
    with database.atomic():
        if database.param == "%s":
            database.execute_sql("SET LOCAL enable_seqscan = off")
        for sql, values in run:
            if _ASKS.match(sql):
                named = {alias: table for table, alias in _ALIAS.findall(sql)}
                for line in explain(database, sql, values):
                    seen = (name for pair in _WALK.findall(line) for name in pair)
                    found |= {named.get(name, name) for name in seen}
        return found.intersection(database.get_tables()) - small
