"""A shorter index of a person's events: an event is new in it, and in another place each time."""

from __future__ import annotations

import peewee as pw
from peewee_migrate import Migrator

OLD, NEW = "analytics_events_user_id_created_at_id", "analytics_events_user_id_id"


def migrate(migrator: Migrator, _database: pw.Database, **_options: bool) -> None:
    """Make it before the old one goes."""
    migrator.sql(f'CREATE INDEX "{NEW}" ON "analytics_events" ("user_id", "id")')
    migrator.sql(f'DROP INDEX "{OLD}"')


def rollback(migrator: Migrator, _database: pw.Database, **_options: bool) -> None:
    """The way back."""
    migrator.sql(f'CREATE INDEX "{OLD}" ON "analytics_events" ("user_id", "created_at", "id")')
    migrator.sql(f'DROP INDEX "{NEW}"')
