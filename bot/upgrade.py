"""What `python -m bot migrate` does: bring the tables up to date and say what was done."""

from __future__ import annotations

import sys

import peewee
import psycopg2

from bot.loader import collect, load, problems, sources
from database import bind, open_database
from services import migrations
from settings import Settings


def migrate(settings: Settings, *, undo: str | None = None, strict: bool = False) -> int:
    """Run what is pending, or undo the last migration of `undo`; give the exit code.

    `strict=True`: only when every plugin loads.
    """
    registry = (collect if strict else load)(settings.plugins_path)
    if strict and (wrong := problems(settings, registry)):
        print("\n".join(wrong), file=sys.stderr)
        return 1
    database = bind(open_database(settings.database_url.reveal()))
    found = sources(registry)
    try:
        if undo:
            print(f"Undone: {migrations.rollback(database, found, undo)}")
        else:
            done = migrations.migrate(database, found)
            print(f"Migrated: {', '.join(done)}" if done else "The tables are up to date.")
            models = [model for source in found[1:] for model in source.models]
            if said := migrations.drift(database, models):
                print("\n".join(said), file=sys.stderr)
                return 1
    except migrations.MigrationError as error:
        print(error, file=sys.stderr)
        return 1
    except (OSError, peewee.DatabaseError, psycopg2.Error) as error:
        reason = str(error).partition("\n")[0]
        print(f"The database of DATABASE_URL cannot be used: {reason}.", file=sys.stderr)
        return 1
    finally:
        database.close_all()
    return 0
