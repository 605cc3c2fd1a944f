"""A place for reloads that were refused, and indexes by which failures are grouped."""

from __future__ import annotations

import peewee as pw
from peewee_migrate import Migrator

INDEXES = {
    "failures_fingerprint_id": '"fingerprint", "id"',
    "failures_state_fingerprint_id": '"state", "fingerprint", "id"',
}


def migrate(migrator: Migrator, _database: pw.Database, **_options: bool) -> None:
    """Make them; what stood among the settings is of a reload that is long over."""

    @migrator.create_model
    class Refusal(pw.Model):
        name = pw.CharField(64, primary_key=True)
        owner = pw.CharField(255)
        begun = pw.DoubleField()
        said = pw.TextField()
        created_at = pw.DateTimeField()

        class Meta:
            table_name = "reload_refusals"

    migrator.sql("DELETE FROM plugin_settings WHERE plugin = ''")
    for name, columns in INDEXES.items():
        migrator.sql(f'CREATE INDEX "{name}" ON "failures" ({columns})')


def rollback(migrator: Migrator, _database: pw.Database, **_options: bool) -> None:
    """Drop them."""
    for name in INDEXES:
        migrator.sql(f'DROP INDEX "{name}"')
    migrator.remove_model("reload_refusals")
