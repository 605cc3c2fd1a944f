"""The core's first tables."""

from __future__ import annotations

from typing import Any

import peewee as pw
from peewee_migrate import Migrator


def text(size: int, default: str | None = None, **options: Any) -> pw.Field[Any]:
    """A short text, with a default that the database knows too."""
    if default is None:
        return pw.CharField(size, **options)
    options["constraints"] = [pw.SQL(f"DEFAULT '{default}'")]
    return pw.CharField(size, default=default, **options)


def zero(kind: type[pw.Field[Any]]) -> pw.Field[Any]:
    """A number that begins at 0."""
    return kind(default=0, constraints=[pw.SQL("DEFAULT 0")])


def migrate(migrator: Migrator, _database: pw.Database, **_options: bool) -> None:
    """Make the tables."""

    @migrator.create_model
    class User(pw.Model):
        id = pw.AutoField()
        telegram_id = pw.BigIntegerField(unique=True)
        username = pw.CharField(64, null=True, index=True)
        first_name = pw.CharField(256)
        last_name = pw.CharField(256, null=True)
        language = text(16, "en")
        status = text(16, "active", index=True)
        role = text(16, "user", index=True)
        referrer = pw.ForeignKeyField("self", null=True, backref="referrals", on_delete="SET NULL")
        source = pw.CharField(64, null=True)
        total_messages = zero(pw.IntegerField)
        last_activity_at = pw.DateTimeField(null=True, index=True)
        created_at = pw.DateTimeField()
        updated_at = pw.DateTimeField()

        class Meta:
            table_name = "users"

    @migrator.create_model
    class AnalyticsEvent(pw.Model):
        id = pw.BigAutoField()
        event_type = pw.CharField(64, index=True)
        user = pw.ForeignKeyField(User, null=True, backref="events", on_delete="CASCADE")
        data = pw.JSONField(null=True)
        created_at = pw.DateTimeField(index=True)
        updated_at = pw.DateTimeField()

        class Meta:
            table_name = "analytics_events"

    @migrator.create_model
    class Bot(pw.Model):
        id = pw.BigIntegerField(primary_key=True)
        username = pw.CharField(64)
        name = pw.CharField(256)
        menu = pw.JSONField(null=True)
        created_at = pw.DateTimeField()
        updated_at = pw.DateTimeField()

        class Meta:
            table_name = "bots"

    @migrator.create_model
    class Chat(pw.Model):
        id = pw.AutoField()
        bot_id = pw.BigIntegerField()
        telegram_id = pw.BigIntegerField()
        kind = pw.CharField(16)
        title = pw.CharField(256)
        username = pw.CharField(64, null=True)
        membership = pw.CharField(16)
        created_at = pw.DateTimeField()
        updated_at = pw.DateTimeField()

        class Meta:
            table_name = "chats"
            indexes = ((("bot_id", "telegram_id"), True),)

    @migrator.create_model
    class Inbox(pw.Model):
        bot_id = pw.BigIntegerField()
        update_id = pw.BigIntegerField()
        lane = pw.BigIntegerField()
        kind = pw.CharField(64)
        state = pw.CharField(16)
        payload = pw.TextField(null=True)
        attempts = zero(pw.SmallIntegerField)
        received_at = pw.DateTimeField()
        done_at = pw.DateTimeField(null=True, index=True)

        class Meta:
            table_name = "inbox"
            primary_key = pw.CompositeKey("bot_id", "update_id")

    waiting = pw.SQL("state IN ('queued', 'new', 'replying')")
    keys = (Inbox.bot_id, Inbox.lane, Inbox.update_id)
    Inbox.add_index(Inbox.index(*keys, where=waiting, name="inbox_open"))

    @migrator.create_model
    class Conversation(pw.Model):
        bot_id = pw.BigIntegerField()
        chat_id = pw.BigIntegerField()
        user_id = pw.BigIntegerField()
        step = pw.CharField(128)
        data = pw.JSONField()
        expires_at = pw.DateTimeField(index=True)
        updated_at = pw.DateTimeField()

        class Meta:
            table_name = "conversations"
            primary_key = pw.CompositeKey("bot_id", "chat_id", "user_id")

    @migrator.create_model
    class Failure(pw.Model):
        id = pw.AutoField()
        bot_id = pw.BigIntegerField()
        update_id = pw.BigIntegerField()
        plugin = pw.CharField(64)
        handler = pw.CharField(128)
        error = pw.CharField(128)
        message = pw.TextField()
        traceback = pw.TextField()
        fingerprint = pw.CharField(64)
        payload = pw.TextField(null=True)
        user_id = pw.BigIntegerField(null=True)
        chat_id = pw.BigIntegerField(null=True)
        state = text(16, "open")
        noticed_at = pw.DateTimeField(null=True)
        created_at = pw.DateTimeField()
        updated_at = pw.DateTimeField()

        class Meta:
            table_name = "failures"
            indexes = (
                (("bot_id", "update_id"), False),
                (("state", "created_at"), False),
                (("fingerprint", "noticed_at"), False),
            )

    @migrator.create_model
    class PluginSwitch(pw.Model):
        id = pw.AutoField()
        plugin = pw.CharField(64)
        chat_id = zero(pw.BigIntegerField)
        enabled = pw.BooleanField()

        class Meta:
            table_name = "plugin_switches"
            indexes = ((("plugin", "chat_id"), True),)

    @migrator.create_model
    class PluginSetting(pw.Model):
        id = pw.AutoField()
        plugin = pw.CharField(64)
        key = pw.CharField(64)
        value = pw.JSONField()

        class Meta:
            table_name = "plugin_settings"
            indexes = ((("plugin", "key"), True),)

    @migrator.create_model
    class Lease(pw.Model):
        name = pw.CharField(64, primary_key=True)
        owner = pw.CharField(255)
        fence = pw.IntegerField()
        beats = pw.IntegerField()
        updated_at = pw.DateTimeField()

        class Meta:
            table_name = "leases"
            indexes = ((("name", "fence"), True),)


def rollback(migrator: Migrator, _database: pw.Database, **_options: bool) -> None:
    """Drop the tables."""
    for table in (
        "leases",
        "plugin_settings",
        "plugin_switches",
        "failures",
        "conversations",
        "inbox",
        "chats",
        "bots",
        "analytics_events",
        "users",
    ):
        migrator.remove_model(table)
