"""The table of the notes."""

from __future__ import annotations

import peewee as pw
from peewee_migrate import Migrator


def migrate(migrator: Migrator, _database: pw.Database, **_options: bool) -> None:
    """Make the table."""

    @migrator.create_model
    class Note(pw.Model):
        id = pw.AutoField()
        chat_id = pw.BigIntegerField(index=True)
        text = pw.TextField()

        class Meta:
            table_name = "notes_note"


def rollback(migrator: Migrator, _database: pw.Database, **_options: bool) -> None:
    """Drop the table."""
    migrator.remove_model("notes_note")
