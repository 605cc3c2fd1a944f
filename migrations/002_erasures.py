"""That somebody was erased, for the processes that remember them."""

from __future__ import annotations

import peewee as pw
from peewee_migrate import Migrator


def migrate(migrator: Migrator, _database: pw.Database, **_options: bool) -> None:
    """Make the table."""

    @migrator.create_model
    class Erasure(pw.Model):
        id = pw.AutoField()
        salt = pw.CharField(32)
        digest = pw.CharField(64)
        created_at = pw.DateTimeField(index=True)

        class Meta:
            table_name = "erasures"


def rollback(migrator: Migrator, _database: pw.Database, **_options: bool) -> None:
    """Drop the table."""
    migrator.remove_model("erasures")
