"""Everybody in a batch of updates, written and read with a statement each."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

from database import db
from models import EventType, Language, Role, Status, User
from services.arrays import numbers

HEALED_AFTER = timedelta(seconds=60)
"""Longer than any transaction: an object that runs ahead of its row since then was undone."""
COLUMNS = ", ".join(field.column_name for field in User._meta.sorted_fields)
FIELDS = tuple(field.name for field in User._meta.sorted_fields)
LANGUAGES = {language.value: language for language in Language}
STATUSES = {status.value: status for status in Status}
GLANCED = ("updated_at", "status", "role", "language")
"""What may have changed by another process's hand."""
TIMES = ("last_activity_at", "created_at", "updated_at")
ROLES = {role.value: role for role in Role}

Row: TypeAlias = dict[str, Any]
"""A row of `users` by the fields' names, read without Peewee, which would take most of the time."""


class Sender(NamedTuple):
    """A person as Telegram describes them in an update."""

    telegram_id: int
    username: str | None
    first_name: str
    last_name: str | None
    language_code: str | None


class People:
    """The people whom this process met lately: one object a person, shared and kept fresh."""

    def __init__(
        self, owner_ids: frozenset[int], default_language: str, size: int = 10_000
    ) -> None:
        self._owner_ids = owner_ids
        self._default_language = Language(default_language)
        self._size = size
        self._known: OrderedDict[int, User] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, telegram_id: int) -> User | None:
        """A person from memory, or None."""
        return self._known.get(telegram_id)

    def ids(self) -> list[int]:
        """The Telegram ids of those in memory."""
        return list(self._known)

    def forget(self, telegram_id: int) -> None:
        """Drop a person's object, for one whose changes were rolled back."""
        with self._lock:
            self._known.pop(telegram_id, None)

    def meet(self, senders: Iterable[Sender], *, now: datetime) -> dict[int, User]:
        """Everybody in a batch by Telegram id: one select, and one upsert when anybody changed.

        Writes in the caller's transaction: newcomers, with a `user_joined` event each, new names,
        and the role of those who are owners by the settings.
        """
        batch = {sender.telegram_id: sender for sender in senders}
        if not batch:
            return {}
        met = self._recognise(batch)
        ids = sorted(batch.keys() - met.keys())
        if not ids:
            return met
        rows = _read(_select_sql(len(ids), db.param), ids)
        changed = [batch[key] for key in ids if self._differs(batch[key], rows.get(key))]
        if changed:
            written = self._upsert(changed, now)
            _joined([row["id"] for row in written.values() if row["created_at"] == now], now)
            rows |= written
        with self._lock:
            return met | {key: self._keep(row, now) for key, row in rows.items()}

    def reread(self, ids: Sequence[int]) -> list[int]:
        """Bring those in memory up to their rows, by the rows' ids; give their Telegram ids."""
        if not ids:
            return []
        rows = _read(_select_sql(len(ids), db.param, by="id"), ids)
        with self._lock:
            for row in rows.values():
                if row["telegram_id"] in self._known:
                    self._keep(row, row["updated_at"])
        return list(rows)

    def _recognise(self, batch: dict[int, Sender]) -> dict[int, User]:
        """Those who are as memory has them; of their rows only the counters need to be read."""
        known = {key: user for key in batch if (user := self._known.get(key))}
        ids, met = sorted(known), {}
        rows = _glance(ids) if ids else ()
        for telegram_id, total, active_at, at, status, role, language in rows:
            row = known[telegram_id].__data__
            if (status, role, language) != (row["status"], row["role"], row["language"]):
                continue
            if _time(at) != row["updated_at"] or self._differs(batch[telegram_id], row):
                continue
            row["total_messages"], row["last_activity_at"] = total, _time(active_at)
            met[telegram_id] = known[telegram_id]
        self._touch(met)
        return met

    def _touch(self, ids: Iterable[int]) -> None:
        """Keep people in memory longer than those who were met before."""
        with self._lock:
            for telegram_id in ids:
                if telegram_id in self._known:
                    self._known.move_to_end(telegram_id)

    def _differs(self, sender: Sender, row: Row | None) -> bool:
        if row is None or (row["username"], row["first_name"], row["last_name"]) != sender[1:4]:
            return True
        return sender.telegram_id in self._owner_ids and row["role"] is not Role.OWNER

    def _upsert(self, senders: Sequence[Sender], now: datetime) -> dict[int, Row]:
        values: list[Any] = []
        for sender in senders:
            role = Role.OWNER if sender.telegram_id in self._owner_ids else Role.USER
            language = self._language(sender.language_code)
            values += (*sender[:4], language.value, role.value, now, now)
        return _read(_upsert_sql(len(senders), db.param), values)

    def _language(self, code: str | None) -> Language:
        spoken = (code or "").lower().partition("-")[0]
        return LANGUAGES.get(spoken, self._default_language)

    def _keep(self, row: Row, now: datetime) -> User:
        """The person's object, brought up to the row unless a handler's write is ahead of it."""
        telegram_id = row["telegram_id"]
        user = self._known.get(telegram_id)
        if user is None:
            user = self._known[telegram_id] = User(__no_default__=True)
            if len(self._known) > self._size:
                self._known.popitem(last=False)
        else:
            self._known.move_to_end(telegram_id)
            if row["updated_at"] < user.updated_at > now - HEALED_AFTER:
                return user
        user.take(row)
        return user


def _joined(user_ids: Sequence[int], at: datetime) -> None:
    if user_ids:
        values = [v for user_id in user_ids for v in (EventType.USER_JOINED.value, user_id, at, at)]
        db.execute_sql(_joined_sql(len(user_ids), db.param), values)


def _read(sql: str, values: Sequence[Any]) -> dict[int, Row]:
    rows = {}
    for record in db.execute_sql(sql, values).fetchall():
        row = dict(zip(FIELDS, record))
        row["language"] = LANGUAGES.get(row["language"], Language.EN)
        row["status"] = STATUSES.get(row["status"], Status.ACTIVE)
        row["role"] = ROLES.get(row["role"], Role.USER)
        for name in TIMES:
            row[name] = _time(row[name])
        rows[row["telegram_id"]] = row
    return rows


def _time(value: Any) -> Any:
    """A time as the table has it: SQLite keeps text."""
    return datetime.fromisoformat(value) if type(value) is str else value


GLANCE = f"""
SELECT telegram_id, total_messages, last_activity_at, {", ".join(GLANCED)} FROM users
WHERE telegram_id"""


def _glance(ids: Sequence[int]) -> Any:
    """What may have changed of people since they were read."""
    if db.param == "%s":
        return db.execute_sql(f"{GLANCE} = ANY(%s::bigint[])", (numbers(ids),))
    return db.execute_sql(_glance_sql(len(ids)), ids)


@lru_cache(maxsize=256)
def _glance_sql(count: int) -> str:
    return f"{GLANCE} IN ({', '.join('?' * count)})"


@lru_cache(maxsize=256)
def _select_sql(count: int, param: str, by: str = "telegram_id") -> str:
    ids = ", ".join([param] * count)
    return f"SELECT {COLUMNS} FROM users WHERE {by} IN ({ids})"


@lru_cache(maxsize=256)
def _upsert_sql(count: int, param: str) -> str:
    row = f"({', '.join([param] * 8)})"
    return (
        "INSERT INTO users (telegram_id, username, first_name, last_name, language, role,"
        f" created_at, updated_at) VALUES {', '.join([row] * count)}"
        " ON CONFLICT (telegram_id) DO UPDATE SET username = EXCLUDED.username,"
        " first_name = EXCLUDED.first_name, last_name = EXCLUDED.last_name,"
        " role = CASE WHEN EXCLUDED.role = 'owner' THEN 'owner' ELSE users.role END,"
        f" updated_at = EXCLUDED.updated_at RETURNING {COLUMNS}"
    )


@lru_cache(maxsize=256)
def _joined_sql(count: int, param: str) -> str:
    row = f"({', '.join([param] * 4)})"
    return (
        "INSERT INTO analytics_events (event_type, user_id, created_at, updated_at)"
        f" VALUES {', '.join([row] * count)}"
    )
