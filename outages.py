"""Outages: which errors of a database pass by themselves, and which are for good."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator

import peewee
import psycopg2
from playhouse.pool import MaxConnectionsExceeded

_SQLITE_OUTAGES = {
    getattr(sqlite3, f"SQLITE_{name}")
    for name in ("BUSY", "LOCKED", "READONLY", "IOERR", "FULL", "CANTOPEN", "PROTOCOL")
}
CAUSES = 16  # links of a chain of errors that are looked at
_POSTGRES_OUTAGES = ("08", "40", "53", "57014", "57P", "58", "55P03", "25006", "25P03")
_POSTGRES_REFUSALS = ("22", "23", "42804", "42883", "54")  # of a value, its type or its size
_MISTAKES = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
_POSTGRES_LOSSES = (psycopg2.OperationalError, psycopg2.InterfaceError)
_REFUSED_FOR_GOOD = re.compile(r"authentication failed|(database|role) \".*\" does not exist")


class WriterBusy(peewee.OperationalError):
    """The turn to write did not come in time."""


def is_outage(error: BaseException | None) -> bool:
    """Whether the database is unreachable, busy or full, so that the same work may succeed later.

    False for mistakes: wrong SQL, a missing table, a refused or impossible value.
    """
    return any(map(_is_outage, _causes(error)))


def is_refusal(error: BaseException) -> bool:
    """Whether the values themselves are refused, today and whenever they are tried again.

    False for what may pass although it is no outage: a database with another name, for one.
    """
    return any(map(_is_refusal, _causes(error)))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    for _ in range(CAUSES):  # an error may be its own cause
        if error is None:
            return
        yield error
        known = isinstance(error, peewee.PeeweeException)
        error = (getattr(error, "orig", None) if known else None) or error.__cause__


def _is_outage(error: BaseException) -> bool:
    if isinstance(error, MaxConnectionsExceeded | WriterBusy):
        return True
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", 0) & 0xFF in _SQLITE_OUTAGES
    if not isinstance(error, psycopg2.Error):
        return False
    if error.pgcode:
        return error.pgcode.startswith(_POSTGRES_OUTAGES)
    lost = isinstance(error, _POSTGRES_LOSSES) or type(error) is psycopg2.DatabaseError
    return lost and not _REFUSED_FOR_GOOD.search(str(error))


def _is_refusal(error: BaseException) -> bool:
    if not isinstance(error, psycopg2.Error):  # the file has no moods but its outages
        return isinstance(error, (sqlite3.Error, *_MISTAKES)) and not _is_outage(error)
    if error.pgcode:
        return error.pgcode.startswith(_POSTGRES_REFUSALS)
    return isinstance(error, psycopg2.ProgrammingError)  # a type that the driver cannot adapt
