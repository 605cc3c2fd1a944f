"""Threads: the conversations of the team, newest first, a page at a time, without a scan.

A page looks at the newest messages only as far as it must, and never at more than a few thousand;
where it stopped the next one goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

from peewee import JOIN

from database import db
from models import Bot, Chat, User
from services import takeovers, users
from staff import Admin, Message, Takeover

Key: TypeAlias = tuple[int, int]
"""Bot and chat."""

SHOWN = ("all", "unread", "taken")
LOOKS = (200, 800, 3200)
"""How many messages are looked at, one look after the other, until a page is full."""
COUNTED = 100
"""How many of a chat's newest messages are counted to say how many are unread."""
UNREAD = "state = 'received' AND read_at IS NULL"
LATER_UNREAD = "later.state = 'received' AND later.read_at IS NULL"
TOP = 2**63 - 1


class Place(NamedTuple):
    """A chat that a bot can write to: a person's, or a group or channel."""

    bot: Bot
    chat_id: int
    user: User | None
    chat: Chat | None

    @property
    def name(self) -> str:
        """The name to show."""
        if self.user:
            return self.user.name
        return (self.chat.title if self.chat else "") or str(self.chat_id)


class Thread(NamedTuple):
    """A conversation in the list."""

    bot_id: int
    chat_id: int
    name: str
    last: Message | None
    unread: int
    taken_by: str | None


class Listing(NamedTuple):
    """A page of the list, and where the next one begins; None at the end."""

    threads: list[Thread]
    older: int | None


def place(bot_id: int, chat_id: int) -> Place | None:
    """A chat by its ids; None when the bot does not know it."""
    if not 0 < bot_id <= TOP or not -TOP <= chat_id <= TOP:
        return None
    bot = Bot.get_or_none(Bot.id == bot_id)
    user = users.find(chat_id) if chat_id > 0 else None
    chat = Chat.get_or_none(Chat.bot_id == bot_id, Chat.telegram_id == chat_id)
    return Place(bot, chat_id, user, chat) if bot and (user or chat) else None


def place_of(user_id: int) -> Place | None:
    """Where to write to a person: the bot that they spoke with last, or else the first one."""
    user = User.get_or_none(User.id == user_id) if 0 < user_id < 2**31 else None
    if user is None:
        return None
    bots = [bot.id for bot in Bot.select(Bot.id).order_by(Bot.id)]
    last = {number: key[0] for key, (number, _) in _tops([(b, user.telegram_id) for b in bots])}
    bot_id = last[max(last)] if last else bots[0] if bots else 0
    return place(bot_id, user.telegram_id)


def newest(*, before: int = TOP, words: str = "", shown: str = "all", limit: int = 30) -> Listing:
    """A page of the threads, those with the newest message first.

    `shown`: all, those with something unread, or those that are taken over. `words`: an id, a
    username or a part of the name. `before` is the `older` of the page before.
    """
    words = words.strip()
    if shown == "taken":
        return _taken(before, words, limit)
    keys: list[Key] = _exact(words) if words and before == TOP and shown == "all" else []
    older: int | None = before
    for size in LOOKS:
        found, older = _heads(older, size, unread=shown == "unread")
        named = _named(found, words) if words else found
        room = limit - len(keys)
        if len(named) > room:
            older = named[room - 1][1] if room > 0 else before
        keys += [key for key, _ in named[: max(room, 0)] if key not in keys]
        if older is None or len(keys) >= limit:
            break
    return Listing(_describe(keys), older)


def unread(limit: int = 100) -> int:
    """How many messages nobody has read, counted up to a limit."""
    sql = f"SELECT COUNT(*) FROM (SELECT 1 FROM messages WHERE {UNREAD} LIMIT {limit}) AS new"
    return int(db.execute_sql(sql).fetchone()[0])


def _heads(
    before: int | None, size: int, *, unread: bool
) -> tuple[list[tuple[Key, int]], int | None]:
    """The chats whose newest message is among the next ones, and where those end."""
    mine, theirs = (f"{UNREAD} AND", f"AND {LATER_UNREAD}") if unread else ("", "")
    sql = (
        "SELECT id, bot_id, chat_id, EXISTS (SELECT 1 FROM messages AS later WHERE"
        " later.bot_id = seen.bot_id AND later.chat_id = seen.chat_id AND later.id > seen.id"
        f" {theirs}) FROM (SELECT id, bot_id, chat_id FROM messages WHERE {mine} id < ?"
        " ORDER BY id DESC LIMIT ?) AS seen ORDER BY id DESC"
    ).replace("?", db.param)
    rows = db.execute_sql(sql, (before, size)).fetchall()
    heads = [((bot_id, chat_id), number) for number, bot_id, chat_id, more in rows if not more]
    return heads, rows[-1][0] if len(rows) == size else None


def _taken(before: int, words: str, limit: int) -> Listing:
    """Those that are taken over, the latest first."""
    query = Takeover.select().where(Takeover.chat_id != takeovers.EVERYWHERE)
    rows = list(query.where(Takeover.id < before).order_by(Takeover.id.desc()).limit(limit + 1))
    found = [((row.bot_id, row.chat_id), row.id) for row in rows[:limit]]
    named = _named(found, words) if words else found
    older = rows[limit - 1].id if len(rows) > limit else None
    return Listing(_describe([key for key, _ in named]), older)


def _exact(words: str) -> list[Key]:
    """The threads of an id or a username, however old."""
    bare = words.removeprefix("@")
    ids = [int(bare)] if bare.lstrip("-").isdecimal() and len(bare) < 19 else []
    if not ids and (user := users.find_name(bare)):
        ids = [user.telegram_id]
    bots = [bot.id for bot in Bot.select(Bot.id)] if ids else []
    tops = _tops([(bot_id, number) for bot_id in bots for number in ids])
    return [key for key, _ in sorted(tops, key=lambda top: -top[1][0])]


def _named(found: Sequence[tuple[Key, int]], words: str) -> list[tuple[Key, int]]:
    """Those whose name, username or id has the words."""
    wanted = words.casefold().removeprefix("@")
    names = _names([key for key, _ in found])
    return [each for each in found if wanted in f"{names[each[0]][1]} {each[0][1]}".casefold()]


def _names(keys: Sequence[Key]) -> dict[Key, tuple[str, str]]:
    """What the chats are called, and the same with the username."""
    ids = {chat_id for _, chat_id in keys}
    people = User.select(User.telegram_id, User.first_name, User.last_name, User.username).where(
        User.telegram_id.in_([number for number in ids if number > 0])
    )
    called: dict[int, tuple[str, str]] = {
        person.telegram_id: (person.name, f"{person.name} {person.username or ''}")
        for person in (people if any(number > 0 for number in ids) else [])
    }
    if groups := [number for number in ids if number < 0]:
        for chat in Chat.select().where(Chat.telegram_id.in_(groups)):
            called[chat.telegram_id] = (chat.title, f"{chat.title} {chat.username or ''}")
    return {key: called.get(key[1], (str(key[1]), "")) for key in keys}


def _describe(keys: Sequence[Key]) -> list[Thread]:
    """Threads with their last message, what is unread, and who took them over."""
    if not keys:
        return []
    tops, names = dict(_tops(keys)), _names(keys)
    ids = [number for number, _ in tops.values()]
    last = {row.id: row for row in Message.select().where(Message.id.in_(ids))}
    taken = _takers(keys)
    return [
        Thread(
            *key,
            names[key][0],
            last.get(tops[key][0]) if key in tops else None,
            tops[key][1] if key in tops else 0,
            taken.get(key),
        )
        for key in keys
    ]


def _takers(keys: Sequence[Key]) -> dict[Key, str]:
    chats = [chat_id for _, chat_id in keys]
    rows: Any = Takeover.select(Takeover, Admin).join(Admin, JOIN.LEFT_OUTER)
    rows = rows.where(Takeover.bot_id.in_({bot for bot, _ in keys}), Takeover.chat_id.in_(chats))
    return {(row.bot_id, row.chat_id): takeovers.name_of(row) for row in rows}


def _tops(keys: Sequence[Key]) -> list[tuple[Key, tuple[int, int]]]:
    """The newest message of chats that have any, and how many of the newest are unread."""
    if not keys:
        return []
    here = "FROM messages WHERE bot_id = column1 AND chat_id = column2 ORDER BY id DESC LIMIT"
    sql = (
        f"SELECT column1, column2, (SELECT id {here} 1), (SELECT COUNT(*) FROM (SELECT state,"
        f" read_at {here} {COUNTED}) AS latest WHERE {UNREAD})"
        f" FROM (VALUES {', '.join(['(?, ?)'] * len(keys))}) AS place"
    ).replace("?", db.param)
    rows = db.execute_sql(sql, [number for key in keys for number in key]).fetchall()
    return [((bot, chat), (top, count)) for bot, chat, top, count in rows if top is not None]
