"""What waits has no end, by which SQLite finds it sooner than by a list of states."""

from __future__ import annotations

import peewee as pw
from peewee_migrate import Migrator

KEYS = '("bot_id", "lane", "update_id")'
WAITS = "state IN ('queued', 'new', 'replying')"


def migrate(migrator: Migrator, _database: pw.Database, **_options: bool) -> None:
    """Put the index anew, when what waits has no end for certain."""
    migrator.sql(f"UPDATE inbox SET done_at = NULL WHERE {WAITS} AND done_at IS NOT NULL")
    migrator.sql(f"UPDATE inbox SET done_at = received_at WHERE NOT {WAITS} AND done_at IS NULL")
    migrator.sql('DROP INDEX "inbox_open"')
    migrator.sql(f'CREATE INDEX "inbox_open" ON "inbox" {KEYS} WHERE done_at IS NULL')


def rollback(migrator: Migrator, _database: pw.Database, **_options: bool) -> None:
    """The way back."""
    migrator.sql('DROP INDEX "inbox_open"')
    migrator.sql(f'CREATE INDEX "inbox_open" ON "inbox" {KEYS} WHERE {WAITS}')
