"""The core's tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import peewee
from peewee import (
    SQL,
    AutoField,
    BigAutoField,
    BigIntegerField,
    BooleanField,
    CharField,
    CompositeKey,
    DateTimeField,
    ForeignKeyField,
    IntegerField,
    JSONField,
    TextField,
)

import trigrams
from choices import Choice, EventType, Language, Role, Status
from database import db, now

__all__ = [
    "TABLES",
    "AnalyticsEvent",
    "Ban",
    "Base",
    "Bot",
    "Chat",
    "Choice",
    "Conversation",
    "Erasure",
    "EventType",
    "Failure",
    "Inbox",
    "Language",
    "Lease",
    "Notice",
    "PluginSetting",
    "PluginSwitch",
    "Role",
    "Status",
    "Suspension",
    "User",
    "UserPreference",
]


class Base(peewee.Model):
    """What all tables share: the database, and that a save writes only what was changed."""

    if TYPE_CHECKING:
        _dirty: set[str]

    class Meta:
        database = db
        only_save_dirty = True
        legacy_table_names = False

    def take(self, values: Mapping[str, Any]) -> None:
        """Hold what the row holds by now: values by the fields' names, none of them to be saved."""
        self.__data__.update(values)
        for name in self.__rel__.keys() & values.keys():
            del self.__rel__[name]
        self._dirty.difference_update(values)


class User(Base):
    """A person who has met a bot; `last_activity_at` is exact to the minute."""

    id = AutoField()
    telegram_id = BigIntegerField(unique=True)
    username = CharField(64, null=True)
    first_name = CharField(256)
    last_name = CharField(256, null=True)
    language = Choice(Language.EN)
    status = Choice(Status.ACTIVE)
    role = Choice(Role.USER)
    referrer = ForeignKeyField("self", null=True, index=False, on_delete="SET NULL")
    source = CharField(64, null=True)
    total_messages = IntegerField(default=0, constraints=[SQL("DEFAULT 0")])
    last_activity_at = DateTimeField(null=True)
    created_at = DateTimeField(default=now)
    updated_at = DateTimeField(default=now)

    if TYPE_CHECKING:
        referrer_id: int | None

    class Meta:
        table_name = "users"

    @property
    def name(self) -> str:
        """The name to show."""
        return f"{self.first_name} {self.last_name or ''}".strip() or str(self.telegram_id)

    @classmethod
    def create_table(cls, safe: bool = True, **options: Any) -> None:
        super().create_table(safe, **options)
        trigrams.lay(cls._meta.database)


class UserPreference(Base):
    """What a person chose for messages that are no answers; without a row nothing was chosen.

    `quiet_from` and `quiet_until` are minutes after midnight in the person's time zone; `muted`
    holds the categories, as "plugin.category", that they do not want.
    """

    user = ForeignKeyField(User, primary_key=True, on_delete="CASCADE")
    time_zone = CharField(64, null=True)
    quiet_from = peewee.SmallIntegerField(null=True)
    quiet_until = peewee.SmallIntegerField(null=True)
    muted = JSONField(default=list)
    updated_at = DateTimeField(default=now)

    if TYPE_CHECKING:
        user_id: int

    class Meta:
        table_name = "user_preferences"


class Notice(Base):
    """A message to a person that is no answer, until it is sent or dropped.

    `params` are sendMessage's, without the chat; `bot_id` is None when any bot may send it. It is
    not sent before `planned_at`, and looked at again at `due_at`.
    """

    id = BigAutoField()
    bot_id = BigIntegerField(null=True)
    user = ForeignKeyField(User, on_delete="CASCADE")
    category = CharField(64)
    params = JSONField()
    tries = peewee.SmallIntegerField(default=0, constraints=[SQL("DEFAULT 0")])
    due_at = DateTimeField(default=now, index=True)
    planned_at = DateTimeField(default=now)

    if TYPE_CHECKING:
        user_id: int

    class Meta:
        table_name = "notices"


class AnalyticsEvent(Base):
    """Something that happened, for the statistics."""

    id = BigAutoField()
    event_type = CharField(64)
    user = ForeignKeyField(User, null=True, index=False, on_delete="CASCADE")
    data = JSONField(null=True)
    created_at = DateTimeField(default=now)
    updated_at = DateTimeField(default=now)

    if TYPE_CHECKING:
        user_id: int | None

    class Meta:
        table_name = "analytics_events"


class Bot(Base):
    """A bot of this installation; its id is Telegram's."""

    id = BigIntegerField(primary_key=True)
    username = CharField(64)
    name = CharField(256)
    menu = JSONField(null=True)
    created_at = DateTimeField(default=now)
    updated_at = DateTimeField(default=now)

    class Meta:
        table_name = "bots"


class Chat(Base):
    """A group or channel that a bot is or was in."""

    id = AutoField()
    bot_id = BigIntegerField()
    telegram_id = BigIntegerField()
    kind = CharField(16)
    title = CharField(256)
    username = CharField(64, null=True)
    membership = CharField(16)
    created_at = DateTimeField(default=now)
    updated_at = DateTimeField(default=now)

    class Meta:
        table_name = "chats"
        indexes = ((("bot_id", "telegram_id"), True),)


class Inbox(Base):
    """An update that was accepted, until a week after it is done.

    `queued`: put in by another process; `new`: accepted by the bot; `replying`: its atomic handler
    has committed, the payload holds the calls still to send; then `done`, `failed` or `unknown`.
    """

    OPEN: ClassVar = SQL("done_at IS NULL")
    """One of the first three. A list of them in an index would cost SQLite a table for each row."""

    bot_id = BigIntegerField()
    update_id = BigIntegerField()
    lane = BigIntegerField()
    kind = CharField(64)
    state = CharField(16)
    payload = TextField(null=True)
    attempts = peewee.SmallIntegerField(default=0, constraints=[SQL("DEFAULT 0")])
    received_at = DateTimeField(default=now)
    done_at = DateTimeField(null=True)

    class Meta:
        table_name = "inbox"
        primary_key = CompositeKey("bot_id", "update_id")


Inbox.add_index(Inbox.index(Inbox.done_at, where=SQL("done_at IS NOT NULL"), name="inbox_done"))
Inbox.add_index(
    Inbox.index(Inbox.bot_id, Inbox.lane, Inbox.update_id, where=Inbox.OPEN, name="inbox_open")
)


class Conversation(Base):
    """A question that was put to a person in a chat; `user_id` is Telegram's."""

    bot_id = BigIntegerField()
    chat_id = BigIntegerField()
    user_id = BigIntegerField()
    step = CharField(128)
    data = JSONField()
    expires_at = DateTimeField(index=True)
    updated_at = DateTimeField(default=now)

    class Meta:
        table_name = "conversations"
        primary_key = CompositeKey("bot_id", "chat_id", "user_id")


class Failure(Base):
    """An update whose handler raised: open, replayed or dismissed. Ids are Telegram's."""

    id = AutoField()
    bot_id = BigIntegerField()
    update_id = BigIntegerField()
    plugin = CharField(64)
    handler = CharField(128)
    error = CharField(128)
    message = TextField()
    traceback = TextField()
    fingerprint = CharField(64)
    payload = TextField(null=True)
    user_id = BigIntegerField(null=True)
    chat_id = BigIntegerField(null=True)
    state = CharField(16, default="open", constraints=[SQL("DEFAULT 'open'")])
    noticed_at = DateTimeField(null=True)
    created_at = DateTimeField(default=now)
    updated_at = DateTimeField(default=now)

    class Meta:
        table_name = "failures"
        indexes = (
            (("bot_id", "update_id"), False),
            (("state", "created_at"), False),
            (("fingerprint", "noticed_at"), False),
            (("fingerprint", "id"), False),
            (("state", "fingerprint", "id"), False),
        )


class PluginSwitch(Base):
    """A plugin switched on or off, in one chat or (`chat_id` 0) everywhere."""

    id = AutoField()
    plugin = CharField(64)
    chat_id = BigIntegerField(default=0, constraints=[SQL("DEFAULT 0")])
    enabled = BooleanField()

    class Meta:
        table_name = "plugin_switches"
        indexes = ((("plugin", "chat_id"), True),)


class PluginSetting(Base):
    """A setting of a plugin that differs from its default."""

    id = AutoField()
    plugin = CharField(64)
    key = CharField(64)
    value = JSONField()

    class Meta:
        table_name = "plugin_settings"
        indexes = ((("plugin", "key"), True),)


class Suspension(Base):
    """A plugin that the circuit breaker keeps from running until a time, and why."""

    plugin = CharField(64, primary_key=True)
    until = DateTimeField()
    times = peewee.SmallIntegerField()
    failure = TextField()
    traceback = TextField()
    created_at = DateTimeField(default=now)
    updated_at = DateTimeField(default=now)

    class Meta:
        table_name = "plugin_suspensions"


class Ban(Base):
    """Why somebody is banned, and until when: without a time, for good."""

    user = ForeignKeyField(User, primary_key=True, backref="bans", on_delete="CASCADE")
    until = DateTimeField(null=True, index=True)
    reason = CharField(256)
    by = ForeignKeyField(User, null=True, backref="banned", on_delete="SET NULL")
    created_at = DateTimeField(default=now)
    updated_at = DateTimeField(default=now)

    if TYPE_CHECKING:
        user_id: int

    class Meta:
        table_name = "bans"


class Erasure(Base):
    """That somebody was erased, for an hour, so that every process lets go of what it remembers.

    Whom it was is told by who remembers them: `digest` is of the salt and the Telegram id.
    """

    id = AutoField()
    salt = CharField(32)
    digest = CharField(64)
    created_at = DateTimeField(default=now, index=True)

    class Meta:
        table_name = "erasures"


class Lease(Base):
    """Who does what only one process may do, as `bot.lease` counts it."""

    name = CharField(64, primary_key=True)
    owner = CharField(255)
    fence = IntegerField()
    beats = IntegerField()
    updated_at = DateTimeField(default=now)

    class Meta:
        table_name = "leases"
        indexes = ((("name", "fence"), True),)


TABLES: list[type[peewee.Model]] = [
    User,
    UserPreference,
    Notice,
    AnalyticsEvent,
    Bot,
    Chat,
    Inbox,
    Conversation,
    Failure,
    PluginSwitch,
    PluginSetting,
    Suspension,
    Ban,
    Erasure,
    Lease,
]
