"""The team's tables: who signs in to the panel, what they did there, and what they write."""

from __future__ import annotations

from typing import TYPE_CHECKING

import peewee
from peewee import (
    SQL,
    AutoField,
    BigAutoField,
    BigIntegerField,
    BooleanField,
    CharField,
    CompositeKey,
    DateField,
    DateTimeField,
    DoubleField,
    ForeignKeyField,
    IntegerField,
    JSONField,
    TextField,
)

import indexes
import models
from choices import Choice, StaffRole
from database import now
from models import Base, User

__all__ = [
    "TABLES",
    "Admin",
    "ApiToken",
    "Attempt",
    "AuditEntry",
    "DailyFigure",
    "Link",
    "Message",
    "RecoveryCode",
    "Refusal",
    "Session",
    "StaffNote",
    "StaffRole",
    "Takeover",
]


class Admin(Base):
    """Somebody of the team who may sign in to the panel.

    `password` is an argon2id hash, without one only a link from the bot opens the panel;
    `totp_secret` is encrypted, `totp_step` the last time step whose code was used.
    """

    id = AutoField()
    name = CharField(64, unique=True)
    telegram_id = BigIntegerField(null=True, unique=True)
    role = Choice(StaffRole.VIEWER)
    password = TextField(null=True)
    totp_secret = TextField(null=True)
    totp_step = BigIntegerField(default=0, constraints=[SQL("DEFAULT 0")])
    disabled = BooleanField(default=False, constraints=[SQL("DEFAULT FALSE")])
    signed_in_at = DateTimeField(null=True)
    created_at = DateTimeField(default=now)
    updated_at = DateTimeField(default=now)

    class Meta:
        table_name = "admins"


class RecoveryCode(Base):
    """A code that stands in once for a code of the authenticator; `digest` is of the code."""

    id = AutoField()
    admin = ForeignKeyField(Admin, backref="recovery_codes", on_delete="CASCADE")
    digest = CharField(64)
    used_at = DateTimeField(null=True)

    class Meta:
        table_name = "admin_recovery_codes"


class Session(Base):
    """A browser that is signed in; `digest` is of what its cookie holds.

    `confirmed_at` is when the password or a code was given last.
    """

    digest = CharField(64, primary_key=True)
    admin = ForeignKeyField(Admin, backref="sessions", on_delete="CASCADE")
    address = CharField(64)
    agent = CharField(256)
    confirmed_at = DateTimeField()
    seen_at = DateTimeField()
    created_at = DateTimeField(default=now)

    if TYPE_CHECKING:
        admin_id: int

    class Meta:
        table_name = "admin_sessions"


class Link(Base):
    """An address that signs in once: for the first owner (`admin` is None), or from the bot."""

    digest = CharField(64, primary_key=True)
    admin = ForeignKeyField(Admin, null=True, on_delete="CASCADE")
    expires_at = DateTimeField()
    used_at = DateTimeField(null=True)
    created_at = DateTimeField(default=now)

    if TYPE_CHECKING:
        admin_id: int | None

    class Meta:
        table_name = "admin_links"


class Attempt(Base):
    """Failed tries to sign in of late, of an account or from an address; `key` is a digest."""

    key = CharField(64, primary_key=True)
    failures = IntegerField(default=0)
    open_at = DateTimeField()
    updated_at = DateTimeField(default=now, index=True)

    class Meta:
        table_name = "admin_attempts"


class AuditEntry(Base):
    """Who did what: rows are only ever added, and each holds the digest of the one before.

    `before` and `after` hold the fields that changed, secrets masked and people by their row's id;
    `reverts` is the entry that this one took back.
    """

    id = BigAutoField()
    at = DateTimeField(index=True)
    admin_id = IntegerField(null=True, index=True)
    actor = CharField(64)
    address = CharField(64)
    action = CharField(64, index=True)
    target = CharField(128, index=True)
    before = JSONField(null=True)
    after = JSONField(null=True)
    reverts = BigIntegerField(null=True)
    previous = CharField(64)
    digest = CharField(64)

    class Meta:
        table_name = "audit"


class ApiToken(Base):
    """A key of the REST API; `prefix` is its readable beginning, `digest` of the whole."""

    id = AutoField()
    admin = ForeignKeyField(Admin, backref="tokens", on_delete="CASCADE")
    name = CharField(64)
    prefix = CharField(16, unique=True)
    digest = CharField(64)
    scopes = JSONField()
    expires_at = DateTimeField(null=True)
    used_at = DateTimeField(null=True)
    revoked_at = DateTimeField(null=True)
    created_at = DateTimeField(default=now)

    if TYPE_CHECKING:
        admin_id: int

    class Meta:
        table_name = "api_tokens"


class DailyFigure(Base):
    """A number of a day (UTC), so that no page counts events."""

    day = DateField()
    name = CharField(64)
    value = BigIntegerField(default=0, constraints=[SQL("DEFAULT 0")])

    class Meta:
        table_name = "daily_figures"
        primary_key = CompositeKey("day", "name")


class Takeover(Base):
    """A chat in which the bot is silent, because somebody of the team answers there."""

    id = AutoField()
    bot_id = BigIntegerField()
    chat_id = BigIntegerField()
    admin = ForeignKeyField(Admin, null=True, on_delete="SET NULL")
    created_at = DateTimeField(default=now)

    if TYPE_CHECKING:
        admin_id: int | None

    class Meta:
        table_name = "takeovers"
        indexes = ((("bot_id", "chat_id"), True),)


class Message(Base):
    """A message between a person and the team.

    `state`: received from the person; or queued, sending, then sent, failed or unknown.
    """

    id = BigAutoField()
    bot_id = BigIntegerField()
    chat_id = BigIntegerField()
    user = ForeignKeyField(User, null=True, on_delete="CASCADE")
    admin = ForeignKeyField(Admin, null=True, on_delete="SET NULL")
    state = CharField(16)
    kind = CharField(16, default="text")
    text = TextField()
    message_id = IntegerField(null=True)
    error = CharField(256, null=True)
    read_at = DateTimeField(null=True)
    created_at = DateTimeField(default=now)
    updated_at = DateTimeField(default=now)

    if TYPE_CHECKING:
        user_id: int | None
        admin_id: int | None

    class Meta:
        table_name = "messages"
        indexes = ((("bot_id", "chat_id", "id"), False),)


Message.add_index(
    Message.index(Message.id, where=SQL("state IN ('queued', 'sending')"), name="messages_waiting")
)
Message.add_index(
    Message.index(
        Message.id, where=SQL("state = 'received' AND read_at IS NULL"), name="messages_unread"
    )
)


class StaffNote(Base):
    """What the team notes on a person, for itself."""

    id = AutoField()
    user = ForeignKeyField(User, backref="notes", on_delete="CASCADE")
    admin = ForeignKeyField(Admin, null=True, on_delete="SET NULL")
    text = TextField()
    created_at = DateTimeField(default=now)

    if TYPE_CHECKING:
        user_id: int
        admin_id: int | None

    class Meta:
        table_name = "staff_notes"


class Refusal(Base):
    """Why the last reload of a bot was refused; `name` is its lease's, `begun` a monotonic time."""

    name = CharField(64, primary_key=True)
    owner = CharField(255)
    begun = DoubleField()
    said = TextField()
    created_at = DateTimeField(default=now)

    class Meta:
        table_name = "reload_refusals"


indexes.declare()

TABLES: list[type[peewee.Model]] = [
    *models.TABLES,
    Admin,
    RecoveryCode,
    Session,
    Link,
    Attempt,
    AuditEntry,
    ApiToken,
    DailyFigure,
    Takeover,
    Message,
    StaffNote,
    Refusal,
]
"""Every table of the core."""
