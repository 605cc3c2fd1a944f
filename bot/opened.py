"""The database that a verb of the command line opens, or one sentence why it cannot be used."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import peewee
import psycopg2

from database import Database, bind, open_database
from settings import Settings, SettingsError


@contextmanager
def opened(settings: Settings) -> Iterator[Database]:
    """The bound database, closed at the end. Raises SettingsError when it cannot be used."""
    database = bind(open_database(settings.database_url.reveal()))
    try:
        yield database
    except (OSError, peewee.DatabaseError, psycopg2.Error, sqlite3.Error) as error:
        reason = str(error).partition("\n")[0]
        raise SettingsError(f"The database of DATABASE_URL cannot be used: {reason}.") from None
    finally:
        database.close_all()
