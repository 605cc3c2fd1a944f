"""Crash points: named places on the path of an update where a bot ends itself, as by a power cut.

CHAOS_CRASH names one place; a file beside the journal arms it.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import peewee

import bot.client
import bot.inbox
import bot.ledger
from database import Postgres, Sqlite

IN_SEND = "in-send"
"""Here the bot is ended by Telegram, which has the message and has not answered."""
PLACES = (
    "after-fetch",
    "before-inbox-commit",
    "after-inbox-commit",
    "before-confirm",
    "in-handler",
    IN_SEND,
    "after-handler",
    "after-group-commit",
)
IN_MIGRATION = "in-migration"
CODE = 137
SOME = 10
"""How many updates the batch has at least that a crash meets."""

_place = os.environ.get("CHAOS_CRASH", "")
_journal = Path(os.environ.get("CHAOS_JOURNAL", "journal"))
_here = threading.local()


def arm(journal: Path) -> Path:
    """The file that arms the place."""
    return journal.with_suffix(".armed")


def at(place: str) -> None:
    """End the process when this is the place, and it is armed."""
    if place == _place and arm(_journal).exists():
        os._exit(CODE)


def install() -> None:
    """Put the crash points in; the seams are few, so that they follow the bot easily."""
    if not _place:
        return
    _wrap(bot.client.Client, "get_updates", _fetch)
    _wrap(bot.inbox.Inbox, "accept", _accept)
    _wrap(bot.ledger.Ledger, "commit_group", _commit_group)
    for engine in (Sqlite, Postgres):
        _wrap(engine, "commit", _commit)
        _wrap(engine, "execute_sql", _execute)


def _wrap(owner: type, name: str, around: Callable[..., Any]) -> None:
    real = getattr(owner, name)

    @functools.wraps(real)
    def wrapped(*args: Any, **options: Any) -> Any:
        return around(functools.partial(real, *args, **options), *args, **options)

    setattr(owner, name, wrapped)


def _fetch(real: Callable[[], Any], *_: Any, **options: Any) -> Any:
    offset = options["offset"] or 0
    if getattr(_here, "batch", 0) >= SOME and offset > getattr(_here, "offset", 0):
        at("before-confirm")
    _here.offset = offset
    updates = real()
    _here.batch = len(updates)
    if len(updates) >= SOME:
        at("after-fetch")
    return updates


def _accept(real: Callable[[], Any], _inbox: Any, _bot_id: int, updates: Any, **_: Any) -> Any:
    _here.accepting = len(updates) >= SOME
    items = real()
    if _here.accepting:
        at("after-inbox-commit")
    _here.accepting = False
    return items


def _commit(real: Callable[[], Any], *_: Any) -> Any:
    if getattr(_here, "accepting", False):
        at("before-inbox-commit")
    return real()


def _commit_group(real: Callable[[], Any], *_: Any) -> Any:
    at("after-handler")
    result = real()
    at("after-group-commit")
    return result


def _execute(real: Callable[[], Any], _database: peewee.Database, sql: str, *_: Any) -> Any:
    """Let a migration make some of its tables."""
    result = real()
    if sql.startswith("CREATE TABLE"):
        _here.tables = getattr(_here, "tables", 0) + 1
        if _here.tables > 4:
            at(IN_MIGRATION)
    return result
