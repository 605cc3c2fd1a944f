"""What `python -m bot migrate` does: bring the tables up to date and say what was done."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from bot.loader import collect, load, problems, sources
from bot.opened import opened
from database import Database
from services import migrations
from settings import Settings, SettingsError


def migrate(settings: Settings, *, undo: str | None = None, strict: bool = False) -> int:
    """Run what is pending, or undo the last migration of `undo`; give the exit code.

    `strict=True`: only when every plugin loads.
    """
    registry = (collect if strict else load)(settings.plugins_path)
    if strict and (wrong := problems(settings, registry)):
        print("\n".join(wrong), file=sys.stderr)
        return 1
    try:
        with opened(settings) as database:
            return _migrate(database, sources(registry), undo)
    except (migrations.MigrationError, SettingsError) as error:
        print(error, file=sys.stderr)
        return 1


def _migrate(database: Database, found: Sequence[migrations.Source], undo: str | None) -> int:
    if undo:
        print(f"Undone: {migrations.rollback(database, found, undo)}")
        return 0
    done = migrations.migrate(database, found)
    print(f"Migrated: {', '.join(done)}" if done else "The tables are up to date.")
    models = [model for source in found[1:] for model in source.models]
    if said := migrations.drift(database, models):
        print("\n".join(said), file=sys.stderr)
        return 1
    return 0
