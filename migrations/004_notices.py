"""What people chose for notices, and the notices that wait."""

from __future__ import annotations

import peewee as pw
from peewee_migrate import Migrator


def migrate(migrator: Migrator, _database: pw.Database, **_options: bool) -> None:
    """Make the tables."""
    people = migrator.orm["users"]

    @migrator.create_model
    class UserPreference(pw.Model):
        user = pw.ForeignKeyField(people, primary_key=True, on_delete="CASCADE")
        time_zone = pw.CharField(64, null=True)
        quiet_from = pw.SmallIntegerField(null=True)
        quiet_until = pw.SmallIntegerField(null=True)
        muted = pw.JSONField()
        updated_at = pw.DateTimeField()

        class Meta:
            table_name = "user_preferences"

    @migrator.create_model
    class Notice(pw.Model):
        id = pw.BigAutoField()
        bot_id = pw.BigIntegerField(null=True)
        user = pw.ForeignKeyField(people, on_delete="CASCADE")
        category = pw.CharField(64)
        params = pw.JSONField()
        tries = pw.SmallIntegerField(default=0, constraints=[pw.SQL("DEFAULT 0")])
        due_at = pw.DateTimeField(index=True)
        planned_at = pw.DateTimeField()

        class Meta:
            table_name = "notices"


def rollback(migrator: Migrator, _database: pw.Database, **_options: bool) -> None:
    """Drop the tables."""
    migrator.remove_model("notices")
    migrator.remove_model("user_preferences")
