"""Plugins that are suspended, and why people are banned."""

from __future__ import annotations

from typing import Any

import peewee as pw
from peewee_migrate import Migrator


def migrate(migrator: Migrator, _database: pw.Database, **_options: bool) -> None:
    """Make the tables, and an index to find people by name."""
    people: Any = migrator.orm["users"]

    @migrator.create_model
    class Suspension(pw.Model):
        plugin = pw.CharField(64, primary_key=True)
        until = pw.DateTimeField()
        times = pw.SmallIntegerField()
        failure = pw.TextField()
        traceback = pw.TextField()
        created_at = pw.DateTimeField()
        updated_at = pw.DateTimeField()

        class Meta:
            table_name = "plugin_suspensions"

    @migrator.create_model
    class Ban(pw.Model):
        user = pw.ForeignKeyField(people, primary_key=True, on_delete="CASCADE")
        until = pw.DateTimeField(null=True, index=True)
        reason = pw.CharField(256)
        by = pw.ForeignKeyField(people, null=True, backref="banned", on_delete="SET NULL")
        created_at = pw.DateTimeField()
        updated_at = pw.DateTimeField()

        class Meta:
            table_name = "bans"

    migrator.sql('CREATE INDEX "users_lower_username" ON "users" (LOWER("username"))')


def rollback(migrator: Migrator, _database: pw.Database, **_options: bool) -> None:
    """Drop them."""
    migrator.sql("DROP INDEX users_lower_username")
    migrator.remove_model("bans")
    migrator.remove_model("plugin_suspensions")
