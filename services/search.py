"""Search: which people a word from a search box, or from a filter, means."""

from __future__ import annotations

from functools import reduce
from operator import and_, or_
from typing import Any

from peewee import fn

from models import User

ANYWHERE = 3
"""Letters from which on a word is looked for inside of names; a shorter one begins them."""
MOST_WORDS = 5
LARGEST = 2**63 - 1
NAMES = (User.first_name, User.last_name, User.username)


def condition(term: str) -> Any:
    """The people whom a term means: by Telegram id, or each of its words in a name of theirs.

    A word that begins with @ is looked for in usernames alone; no words mean everybody.
    """
    if not term.strip():
        return User.id > 0
    named = reduce(and_, map(_named, term.split()[:MOST_WORDS]))
    number = number_of(term)
    return named if number is None else named | (User.telegram_id == number)


def id_of(who: str) -> Any:
    """A query for the row's id of one person, by Telegram id or username."""
    person = User.alias()
    number = number_of(who)
    if number is not None:
        return person.select(person.id).where(person.telegram_id == number)
    named = fn.LOWER(person.username) == who.removeprefix("@").lower()
    found = person.select(person.id).where(named)
    return found.order_by(person.updated_at.desc()).limit(1)


def number_of(term: str) -> int | None:
    """The number that a term is, when the database can hold it."""
    if not (term.isascii() and term.isdecimal()) or len(term) > len(str(LARGEST)):
        return None
    return number if (number := int(term)) <= LARGEST else None


def _named(word: str) -> Any:
    bare = word.removeprefix("@")
    if bare and bare != word:
        return _in(User.username, bare)
    return reduce(or_, (_in(column, word) for column in NAMES))


def _in(column: Any, word: str) -> Any:
    return column.contains(word) if len(word) >= ANYWHERE else column.startswith(word)
