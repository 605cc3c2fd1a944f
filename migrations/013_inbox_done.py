"""An index of what is done, instead of one that what waits goes through as well."""

from __future__ import annotations

import peewee as pw
from peewee_migrate import Migrator


def migrate(migrator: Migrator, _database: pw.Database, **_options: bool) -> None:
    """Make it before the old one goes."""
    migrator.sql('CREATE INDEX "inbox_done" ON "inbox" ("done_at") WHERE done_at IS NOT NULL')
    migrator.sql('DROP INDEX "inbox_done_at"')


def rollback(migrator: Migrator, _database: pw.Database, **_options: bool) -> None:
    """The way back."""
    migrator.sql('CREATE INDEX "inbox_done_at" ON "inbox" ("done_at")')
    migrator.sql('DROP INDEX "inbox_done"')
