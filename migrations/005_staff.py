"""The team: who signs in to the panel, what they did, what they write, and numbers by day."""

from __future__ import annotations

from typing import Any

import peewee as pw
from peewee_migrate import Migrator

TABLES = (
    "staff_notes",
    "messages",
    "takeovers",
    "daily_figures",
    "api_tokens",
    "audit",
    "admin_attempts",
    "admin_links",
    "admin_sessions",
    "admin_recovery_codes",
    "admins",
)
APPEND_ONLY = {
    "?": """
        CREATE TRIGGER audit_kept_{verb} BEFORE {verb} ON audit
        BEGIN SELECT RAISE(ABORT, 'rows of audit are only ever added'); END
    """,
    "%s": """
        CREATE TRIGGER audit_kept_{verb} BEFORE {verb} ON audit
        FOR EACH STATEMENT EXECUTE FUNCTION audit_kept()
    """,
}
REFUSE = """
    CREATE FUNCTION audit_kept() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'rows of audit are only ever added'; END $$
"""


def migrate(migrator: Migrator, database: pw.Database, **_options: bool) -> None:
    """Make the tables."""
    people: Any = migrator.orm["users"]
    _sign_in(migrator)
    _work(migrator, people)
    for name, where in (
        ("waiting", "state IN ('queued', 'sending')"),
        ("unread", "state = 'received' AND read_at IS NULL"),
    ):
        migrator.sql(f'CREATE INDEX "messages_{name}" ON "messages" ("id") WHERE {where}')
    if database.param == "%s":
        migrator.sql(REFUSE)
    for verb in ("UPDATE", "DELETE"):
        migrator.sql(APPEND_ONLY[database.param].format(verb=verb))


def _sign_in(migrator: Migrator) -> None:
    @migrator.create_model
    class Admin(pw.Model):
        id = pw.AutoField()
        name = pw.CharField(64, unique=True)
        telegram_id = pw.BigIntegerField(null=True, unique=True)
        role = pw.CharField(16, default="viewer", constraints=[pw.SQL("DEFAULT 'viewer'")])
        password = pw.TextField(null=True)
        totp_secret = pw.TextField(null=True)
        totp_step = pw.BigIntegerField(default=0, constraints=[pw.SQL("DEFAULT 0")])
        disabled = pw.BooleanField(default=False, constraints=[pw.SQL("DEFAULT FALSE")])
        signed_in_at = pw.DateTimeField(null=True)
        created_at = pw.DateTimeField()
        updated_at = pw.DateTimeField()

        class Meta:
            table_name = "admins"

    @migrator.create_model
    class RecoveryCode(pw.Model):
        id = pw.AutoField()
        admin = pw.ForeignKeyField(Admin, backref="recovery_codes", on_delete="CASCADE")
        digest = pw.CharField(64)
        used_at = pw.DateTimeField(null=True)

        class Meta:
            table_name = "admin_recovery_codes"

    @migrator.create_model
    class Session(pw.Model):
        digest = pw.CharField(64, primary_key=True)
        admin = pw.ForeignKeyField(Admin, backref="sessions", on_delete="CASCADE")
        address = pw.CharField(64)
        agent = pw.CharField(256)
        confirmed_at = pw.DateTimeField()
        seen_at = pw.DateTimeField()
        created_at = pw.DateTimeField()

        class Meta:
            table_name = "admin_sessions"

    @migrator.create_model
    class Link(pw.Model):
        digest = pw.CharField(64, primary_key=True)
        admin = pw.ForeignKeyField(Admin, null=True, on_delete="CASCADE")
        expires_at = pw.DateTimeField()
        used_at = pw.DateTimeField(null=True)
        created_at = pw.DateTimeField()

        class Meta:
            table_name = "admin_links"

    @migrator.create_model
    class Attempt(pw.Model):
        key = pw.CharField(64, primary_key=True)
        failures = pw.IntegerField()
        open_at = pw.DateTimeField()
        updated_at = pw.DateTimeField(index=True)

        class Meta:
            table_name = "admin_attempts"


def _work(migrator: Migrator, people: Any) -> None:
    admins: Any = migrator.orm["admins"]

    @migrator.create_model
    class AuditEntry(pw.Model):
        id = pw.BigAutoField()
        at = pw.DateTimeField(index=True)
        admin_id = pw.IntegerField(null=True, index=True)
        actor = pw.CharField(64)
        address = pw.CharField(64)
        action = pw.CharField(64, index=True)
        target = pw.CharField(128, index=True)
        before = pw.JSONField(null=True)
        after = pw.JSONField(null=True)
        reverts = pw.BigIntegerField(null=True)
        previous = pw.CharField(64)
        digest = pw.CharField(64)

        class Meta:
            table_name = "audit"

    @migrator.create_model
    class ApiToken(pw.Model):
        id = pw.AutoField()
        admin = pw.ForeignKeyField(admins, backref="tokens", on_delete="CASCADE")
        name = pw.CharField(64)
        prefix = pw.CharField(16, unique=True)
        digest = pw.CharField(64)
        scopes = pw.JSONField()
        expires_at = pw.DateTimeField(null=True)
        used_at = pw.DateTimeField(null=True)
        revoked_at = pw.DateTimeField(null=True)
        created_at = pw.DateTimeField()

        class Meta:
            table_name = "api_tokens"

    @migrator.create_model
    class DailyFigure(pw.Model):
        day = pw.DateField()
        name = pw.CharField(64)
        value = pw.BigIntegerField(default=0, constraints=[pw.SQL("DEFAULT 0")])

        class Meta:
            table_name = "daily_figures"
            primary_key = pw.CompositeKey("day", "name")

    @migrator.create_model
    class Takeover(pw.Model):
        id = pw.AutoField()
        bot_id = pw.BigIntegerField()
        chat_id = pw.BigIntegerField()
        admin = pw.ForeignKeyField(admins, null=True, on_delete="SET NULL")
        created_at = pw.DateTimeField()

        class Meta:
            table_name = "takeovers"
            indexes = ((("bot_id", "chat_id"), True),)

    _words(migrator, people, admins)


def _words(migrator: Migrator, people: Any, admins: Any) -> None:
    @migrator.create_model
    class Message(pw.Model):
        id = pw.BigAutoField()
        bot_id = pw.BigIntegerField()
        chat_id = pw.BigIntegerField()
        user = pw.ForeignKeyField(people, null=True, on_delete="CASCADE")
        admin = pw.ForeignKeyField(admins, null=True, on_delete="SET NULL")
        state = pw.CharField(16)
        kind = pw.CharField(16)
        text = pw.TextField()
        message_id = pw.IntegerField(null=True)
        error = pw.CharField(256, null=True)
        read_at = pw.DateTimeField(null=True)
        created_at = pw.DateTimeField()
        updated_at = pw.DateTimeField()

        class Meta:
            table_name = "messages"
            indexes = ((("bot_id", "chat_id", "id"), False),)

    @migrator.create_model
    class StaffNote(pw.Model):
        id = pw.AutoField()
        user = pw.ForeignKeyField(people, backref="notes", on_delete="CASCADE")
        admin = pw.ForeignKeyField(admins, null=True, on_delete="SET NULL")
        text = pw.TextField()
        created_at = pw.DateTimeField()

        class Meta:
            table_name = "staff_notes"


def rollback(migrator: Migrator, database: pw.Database, **_options: bool) -> None:
    """Drop the tables."""
    for name in TABLES:
        migrator.remove_model(name)
    if database.param == "%s":
        migrator.sql("DROP FUNCTION audit_kept()")
