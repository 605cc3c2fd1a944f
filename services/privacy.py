"""Privacy: all that is held on a person, given out or erased, over the core and the plugins.

Two things are kept of somebody who is erased. Events of the statistics stay without the person and
without their data, so that the numbers of past days do not change. A ban stays: the Telegram id
and the status, and nothing else, or anybody could lift a ban by asking to be forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import peewee

import trigrams
from database import current, db, now
from models import (
    AnalyticsEvent,
    Ban,
    Bot,
    Conversation,
    Failure,
    Inbox,
    Language,
    PluginSwitch,
    Role,
    Status,
    Suspension,
    User,
)
from services import erasures
from services.traces import Person, is_by, mentions, rows_with, scrub
from staff import TABLES, Admin, Message, Takeover

Hooks: TypeAlias = Mapping[str, Callable[[User], Any]]
"""A function of each plugin that has one, by the plugin's name."""
Update: TypeAlias = tuple[int, int]
"""Bot and number of an update."""

NOBODY: Update = (0, 0)
WAITING = ("queued", "new", "replying")
BANS = ("bans",)
"""Tables whose rows stay with a ban."""
KEY = ("bot_id", "chat_id", "user_id")


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was erased: rows by table, rows by plugin, and the plugins whose hook failed."""

    tables: dict[str, int] = field(default_factory=dict)
    plugins: dict[str, int] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """All rows together."""
        return sum(self.tables.values()) + sum(self.plugins.values())


class Erasing(Exception):
    """A person cannot be erased; one sentence that says what is in the way."""


def look_up(telegram_id: int) -> tuple[User, Person]:
    """A person's row, or one that stands for nobody with this id, and whom to look for."""
    user = User.get_or_none(User.telegram_id == telegram_id)
    user = user or User(id=0, telegram_id=telegram_id, first_name="")
    return user, person_of(user)


def person_of(user: User) -> Person:
    """Whom to look for when a person's traces are searched."""
    names = tuple(filter(None, (user.first_name, user.last_name, user.name)))
    return Person(user.telegram_id, user.id, user.username, names)


def export(telegram_id: int, hooks: Hooks) -> dict[str, Any]:
    """All that is held on a person: of the core by table, of the plugins by name.

    A plugin whose hook fails has {"error": …}. What others said of the person is theirs.
    """
    user, person = look_up(telegram_id)
    with db.atomic():
        held = {"core": _core(user, person), "plugins": {}}
        for name, hook in hooks.items():
            try:
                with db.atomic():
                    held["plugins"][name] = hook(user)
            except Exception as error:  # noqa: BLE001 - a HookError, which is logged
                held["plugins"][name] = {"error": str(error)}
    return held


def erase(telegram_id: int, hooks: Hooks, *, own: Update = NOBODY) -> Receipt:
    """Erase a person everywhere in the database, and say what that was.

    `own` is the update that asks for it, whose row must stay until it is done. Other updates of
    theirs that wait are dropped. One transaction, within the caller's. A plugin whose hook fails
    keeps its rows and is named in the receipt. Raises Erasing.
    """
    receipt = Receipt()
    with db.atomic():
        user, person = look_up(telegram_id)
        for name, hook in hooks.items():
            try:
                with db.atomic():
                    receipt.plugins[name] = hook(user)
            except Exception as error:  # noqa: BLE001 - a HookError, which is logged
                receipt.failed[name] = str(error)
        receipt.tables.update(
            inbox=_erase_inbox(person, own),
            failures=_erase_failures(person),
            conversations=_erase_conversations(person),
            analytics_events=_erase_events(person),
            plugin_switches=_delete(PluginSwitch, PluginSwitch.chat_id == telegram_id),
            takeovers=_delete(Takeover, Takeover.chat_id == telegram_id),
            admins=_forget_admin(telegram_id),
            bots=_erase_menus(person),
            plugin_suspensions=_blank(person, Suspension, Suspension.failure, Suspension.traceback),
            **{model._meta.table_name: _erase_owned(model, user) for model in owned()},
            users=_erase_user(user),
        )
        receipt.tables["messages"] += _delete(Message, Message.chat_id == telegram_id)
        receipt.tables["bans"] += _blank(person, Ban, Ban.reason) + _blank_reason(user)
        if receipt.tables["users"]:
            trigrams.forget(current())
        erasures.announce(telegram_id)
    return receipt


def owned() -> list[type[peewee.Model]]:
    """The core's tables whose rows belong to one person each, by a key called user."""
    fields = ((model, model._meta.fields.get("user")) for model in TABLES)
    return [
        model
        for model, field_ in fields
        if getattr(field_, "rel_model", None) is User and model is not AnalyticsEvent
    ]


def _erase_owned(model: type[peewee.Model], user: User) -> int:
    if user.status == Status.BANNED and model._meta.table_name in BANS:
        return 0
    return _delete(model, model._meta.fields["user"] == user.id)


def _blank_reason(user: User) -> int:
    """What the team wrote of somebody whose ban stays."""
    written = (Ban.user == user.id) & (Ban.reason != "")
    return int(Ban.update(reason="", updated_at=now()).where(written).execute())


def _forget_admin(telegram_id: int) -> int:
    """Leave an account of the panel without the person: a password still opens it."""
    mine = Admin.telegram_id == telegram_id
    return int(Admin.update(telegram_id=None, updated_at=now()).where(mine).execute())


def _core(user: User, person: Person) -> dict[str, Any]:
    mine = (Inbox.lane == person.telegram_id) & Inbox.payload.is_null(False)
    failed = Failure.user_id == person.telegram_id
    asked = Conversation.user_id == person.telegram_id
    switched = PluginSwitch.chat_id == person.telegram_id
    return {
        "users": _dicts(User.select().where(User.id == user.id)),
        "analytics_events": _dicts(AnalyticsEvent.select().where(AnalyticsEvent.user == user.id)),
        "conversations": _dicts(Conversation.select().where(asked)),
        "failures": [
            {key: value for key, value in row.items() if key != "traceback"}
            for row in _dicts(Failure.select().where(failed))
        ],
        "inbox": _dicts(Inbox.select().where(mine)),
        "plugin_switches": _dicts(PluginSwitch.select().where(switched)),
        "takeovers": _dicts(
            Takeover.select(Takeover.bot_id, Takeover.created_at).where(
                Takeover.chat_id == person.telegram_id
            )
        ),
        **{
            model._meta.table_name: _dicts(
                model.select().where(model._meta.fields["user"] == user.id)
            )
            for model in owned()
        },
        "admins": _dicts(
            Admin.select(Admin.name, Admin.role, Admin.created_at).where(
                Admin.telegram_id == person.telegram_id
            )
        ),
        "people_invited": User.select().where(User.referrer == user.id).count() if user.id else 0,
    }


def _dicts(query: Any) -> list[dict[str, Any]]:
    plain = (str, int, float, bool, list, dict, type(None))
    return [
        {key: value if isinstance(value, plain) else str(value) for key, value in row.items()}
        for row in query.dicts()
    ]


def _erase_inbox(person: Person, own: Update) -> int:
    """Drop what waits, empty what is kept, and take the chat's id off the marks that must stay.

    The ids of updates stay for a week, so that one that Telegram sends again is recognised.
    """
    count = 0
    for row in rows_with(person, Inbox, Inbox.payload):
        if (row.bot_id, row.update_id) == own:
            continue
        theirs = row.lane == person.telegram_id or is_by(person, row.payload)
        if row.state in WAITING and not theirs:
            continue  # somebody else's, and over in a moment
        here = (Inbox.bot_id == row.bot_id) & (Inbox.update_id == row.update_id)
        over = {"state": "done", "done_at": now()} if row.state in WAITING else {}
        Inbox.update({"payload": None, **over}).where(here).execute()
        count += row.lane != person.telegram_id
    return count + int(Inbox.update(lane=0).where(Inbox.lane == person.telegram_id).execute())


def _erase_failures(person: Person) -> int:
    """Delete those of their updates; of those that mention them, what does."""
    theirs = (Failure.user_id == person.telegram_id) | (Failure.chat_id == person.telegram_id)
    texts = (Failure.payload, Failure.message, Failure.traceback)
    return _delete(Failure, theirs) + _blank(person, Failure, *texts)


def _blank(person: Person, model: type[peewee.Model], *columns: peewee.Field[Any]) -> int:
    """Empty the texts that mention the person; give the number of rows."""
    count = 0
    for row in rows_with(person, model, *columns):
        for column in columns:
            if mentions(person, getattr(row, column.name)):
                setattr(row, column.name, None if column.null else "")
        row.save()
        count += 1
    return count


def _erase_conversations(person: Person) -> int:
    of_them = Conversation.user_id == person.telegram_id
    count = _delete(Conversation, of_them | (Conversation.chat_id == person.telegram_id))
    for row in rows_with(person, Conversation, Conversation.data):
        key = [getattr(Conversation, name) == row.__data__[name] for name in KEY]
        Conversation.update(data=scrub(person, row.data)).where(*key).execute()
        count += 1
    return count


def _erase_events(person: Person) -> int:
    """Their events stay for the sums, as nobody's; the data of others' loses what names them."""
    theirs = AnalyticsEvent.user == person.id
    count = AnalyticsEvent.update(user=None, data=None).where(theirs).execute()
    for row in rows_with(person, AnalyticsEvent, AnalyticsEvent.data):
        row.data = scrub(person, row.data)
        row.save()
        count += 1
    return int(count)


def _erase_menus(person: Person) -> int:
    """What the menu of their chat is, of which Telegram was told."""
    count = 0
    for row in Bot.select():
        told = row.menu or {}
        kept = {place: mark for place, mark in told.items() if not _is_place(place, person)}
        if kept != told:
            count += Bot.update(menu=kept).where(Bot.id == row.id).execute()
    return count


def _is_place(place: str, person: Person) -> bool:
    return place.startswith(f"chat:{person.telegram_id}:")


def _erase_user(user: User) -> int:
    if not user.id:
        return 0
    came = User.update(referrer=None, updated_at=now()).where(User.referrer == user.id)
    count = int(came.execute())
    if user.status == Status.BANNED:
        blank = {"username": None, "first_name": "", "last_name": None, "source": None}
        plain = {"language": Language.EN, "role": Role.USER, "referrer": None, "total_messages": 0}
        times = {"last_activity_at": None, "created_at": now(), "updated_at": now()}
        User.update({**blank, **plain, **times}).where(User.id == user.id).execute()
        return count + 1
    try:
        with db.atomic():
            return count + _delete(User, User.id == user.id)
    except peewee.IntegrityError as error:
        raise Erasing(
            f"{user.telegram_id} cannot be erased: a table of a plugin still points at the person:"
            " its @plugin.delete_user must delete those rows."
        ) from error


def _delete(model: type[peewee.Model], where: Any) -> int:
    return int(model.delete().where(where).execute())
