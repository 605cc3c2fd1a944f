"""People: what is changed and counted about one person."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from peewee import fn

from database import current, db, now
from models import Ban, Chat, Language, Role, Status, User
from services.people import People, Sender
from staff import Message

__all__ = [
    "People",
    "Referrals",
    "Sender",
    "ban",
    "find",
    "find_name",
    "lift_bans",
    "line_of",
    "may_act_on",
    "migrate_chat",
    "refer",
    "referrals",
    "set_language",
    "set_role",
    "set_source",
    "set_status",
    "unban",
]

SOURCE_SIZE = 64
REASON_SIZE = 256
INSTANT = timedelta(microseconds=1)
REFERRING = 0x2EFE2
"""Key of the lock under which one referral at a time is written."""


class Referrals(NamedTuple):
    """How many people someone brought, and how many of them are still active."""

    came: int
    stayed: int


def find(telegram_id: int) -> User | None:
    """A person from the database, or None."""
    return User.get_or_none(User.telegram_id == telegram_id)


def find_name(username: str) -> User | None:
    """The person who had this username last, in any case of its letters, or None."""
    theirs = User.select().where(fn.LOWER(User.username) == username.lower())
    found: User | None = theirs.order_by(User.updated_at.desc()).first()
    return found


def may_act_on(actor: User, person: User) -> bool:
    """Whether somebody may ban a person or change their role: those below their own rank."""
    return actor.id != person.id and actor.role > person.role


def ban(user: User, *, by: User | None, until: datetime | None = None, reason: str = "") -> None:
    """Ban a person until a time, or for good; in place of a ban they have.

    `by` is None for somebody of the team who is no user of the bot.
    """
    row = {
        "until": until,
        "reason": reason[:REASON_SIZE],
        "by": by.id if by else None,
        "updated_at": now(),
    }
    with db.atomic():
        set_status(user, Status.BANNED)  # the person is locked before the ban, here as elsewhere
        Ban.insert(user=user.id, **row).on_conflict(
            conflict_target=[Ban.user], preserve=[getattr(Ban, name) for name in row]
        ).execute()


def unban(user: User, status: Status = Status.ACTIVE) -> bool:
    """End a ban, which leaves a status; False when there is none."""
    if user.status != Status.BANNED:
        return False
    with db.atomic():
        set_status(user, status)
        Ban.delete().where(Ban.user == user.id).execute()
    return True


def lift_bans(at: datetime) -> int:
    """End the bans whose time is over; give their number."""
    over = Ban.until <= at
    if not Ban.select().where(over).exists():  # most of the time, and it locks nothing
        return 0
    with db.atomic():
        banned = User.id.in_(Ban.select(Ban.user).where(over))
        people = User.select(User.id).where(banned).order_by(User.id)
        ids = [user.id for user in (people if current().local else people.for_update())]
        Ban.delete().where(Ban.user.in_(ids), over).execute()
        User.update(status=Status.ACTIVE, updated_at=now()).where(
            User.id.in_(ids), User.status == Status.BANNED.value
        ).execute()
    return len(ids)


def set_role(user: User, role: Role) -> None:
    """Give a person another role."""
    _set(user, role=role)


def set_status(user: User, status: Status) -> None:
    """Give a person another status."""
    _set(user, status=status)


def set_language(user: User, language: Language) -> None:
    """Speak another language with a person."""
    _set(user, language=language)


def set_source(user: User, source: str) -> bool:
    """Note where a person came from, once; whether it was the first time."""
    source = source[:SOURCE_SIZE]
    changed = (
        User.update(source=source, updated_at=now())
        .where(User.id == user.id, User.source.is_null())
        .execute()
    )
    if changed:
        user.take({"source": source})
    return bool(changed)


def refer(user: User, referrer_telegram_id: int) -> bool:
    """Note who brought a person: once, never themselves, never in a ring; whether it was noted."""
    with db.atomic():
        current().serialise(REFERRING)
        referrer = find(referrer_telegram_id)
        if referrer is None or _came_by(referrer.id, user.id):
            return False
        changed = (
            User.update(referrer=referrer.id, updated_at=now())
            .where(User.id == user.id, User.referrer.is_null())
            .execute()
        )
    if changed:
        user.take({"referrer": referrer.id})
    return bool(changed)


def referrals(user: User) -> Referrals:
    """How many people came by this person, and how many of them are still active."""
    sql = f"SELECT COUNT(*), COUNT(CASE WHEN status = {db.param} THEN 1 END) FROM users"
    row = db.execute_sql(
        f"{sql} WHERE referrer_id = {db.param}", (Status.ACTIVE.value, user.id)
    ).fetchone()
    return Referrals(*row)


def migrate_chat(bot_id: int, old: int, new: int) -> None:
    """Carry over what belongs to a group that became a supergroup, with another id.

    Its row, its conversations, its plugin switches and what the team has there; what the new id
    has already stays. Writes in the caller's transaction.
    """
    mine = f"bot_id = {int(bot_id)}"
    _move("chats", "telegram_id", old, new, same=("bot_id",), where=mine)
    _move("conversations", "chat_id", old, new, same=("bot_id", "user_id"), where=mine)
    _move("plugin_switches", "chat_id", old, new, same=("plugin",))
    _move("takeovers", "chat_id", old, new, same=("bot_id",), where=mine)
    Message.update(chat_id=new).where(Message.bot_id == bot_id, Message.chat_id == old).execute()
    Chat.update(kind="supergroup", updated_at=now()).where(
        Chat.bot_id == bot_id, Chat.telegram_id == new
    ).execute()


def _move(
    table: str, column: str, old: int, new: int, *, same: Sequence[str], where: str = "1 = 1"
) -> None:
    """Give rows another id, each unless its like is there, and delete those that stay behind."""
    like = "".join(f" AND there.{name} = {table}.{name}" for name in same)
    sql = (
        f"UPDATE {table} SET {column} = ? WHERE {where} AND {column} = ?"
        f" AND NOT EXISTS (SELECT 1 FROM {table} AS there WHERE there.{column} = ?{like})"
    )
    db.execute_sql(sql.replace("?", db.param), (new, old, new))
    db.execute_sql(f"DELETE FROM {table} WHERE {where} AND {column} = {db.param}", (old,))


def line_of(user: User, most: int = 20) -> list[User]:
    """Who brought a person, who brought those, and so on: the nearest first."""
    sql = (
        "WITH RECURSIVE line (id, referrer_id, step) AS ("
        " SELECT id, referrer_id, 0 FROM users WHERE id = ?"
        " UNION ALL SELECT users.id, users.referrer_id, line.step + 1 FROM users, line"
        " WHERE users.id = line.referrer_id AND line.step < ?)"
        " SELECT id FROM line WHERE step > 0 ORDER BY step"
    ).replace("?", db.param)
    ids = list(dict.fromkeys(row[0] for row in db.execute_sql(sql, (user.id, most)).fetchall()))
    found = {each.id: each for each in User.select().where(User.id.in_(ids))} if ids else {}
    return [found[each] for each in ids if each in found and each != user.id]


def _set(user: User, **values: Any) -> None:
    """Write the row and the object, so that the running handler sees it too.

    It is always newer than what was there, also for a clock that is behind another process's.
    """
    values["updated_at"] = max(now(), user.updated_at + INSTANT)
    User.update(values).where(User.id == user.id).execute()
    user.take(values)


def _came_by(user_id: int, other_id: int) -> bool:
    """Whether the other is the person, or among those who brought them, however far up."""
    sql = (
        "WITH RECURSIVE line (id, referrer_id) AS ("
        " SELECT id, referrer_id FROM users WHERE id = ?"
        " UNION SELECT users.id, users.referrer_id FROM users, line"
        " WHERE users.id = line.referrer_id) SELECT 1 FROM line WHERE id = ?"
    ).replace("?", db.param)
    return db.execute_sql(sql, (user_id, other_id)).fetchone() is not None
