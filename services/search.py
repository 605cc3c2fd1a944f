"""Search: which people a word from a search box, or from a filter, means."""

from __future__ import annotations

from functools import reduce
from operator import and_, or_
from typing import Any

from peewee import SQL, Expression, Table, fn

import trigrams
from database import current
from models import User

ANYWHERE = 3
"""Letters from which on a word is looked for inside of names; a shorter one begins them."""
MOST_WORDS = 5
LARGEST = 2**63 - 1
NAMES = Table(trigrams.TABLE)
ROW, TEXT = NAMES.c.rowid, NAMES.c.text


def condition(term: str) -> Any:
    """The people whom a term means: by Telegram id, or each of its words in a name of theirs.

    A word that begins with @ begins a username; no words mean everybody. Signs alone are nobody's
    name: of them there are no trigrams, and to find them would be to look at everybody.
    """
    if not term.strip():
        return User.id > 0
    words = [word for word in term.split() if any(map(str.isalnum, word))][:MOST_WORDS]
    if not words:
        return SQL("1 = 0")
    if current().param == "?":
        named = SQL("users_search MATCH ?", (" AND ".join(map(_match, words)),))
    else:
        way = _like if trigrams.finds_parts(current()) else _begins
        named = reduce(and_, map(way, words))
    found: Any = NAMES.select(ROW).where(named)
    number = number_of(term)
    if number is not None:
        person = User.alias()
        found |= person.select(person.id).where(person.telegram_id == number)
    return User.id.in_(found)


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


def _parts(word: str) -> list[str]:
    """What the text of somebody holds who is meant; names stand in it after two spaces."""
    if len(word) >= ANYWHERE:
        return [word]
    return [f" {word}".rjust(ANYWHERE), f"@{word}".rjust(ANYWHERE)]


def _match(word: str) -> str:
    """For FTS5, to which a quoted text is a phrase of trigrams."""
    return f"({' OR '.join(map(_quote, _parts(word)))})"


def _quote(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _like(word: str) -> Any:
    """For pg_trgm, which looks up the trigrams of a pattern."""
    patterns = [f"%{_escape(part)}%" for part in _parts(word)]
    return reduce(or_, (TEXT.like(fn.LOWER(pattern)) for pattern in patterns))


def _escape(text: str) -> str:
    return text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")


def _begins(word: str) -> Any:
    """For the text search of PostgreSQL: words by how they begin."""
    quoted = "'" + word.replace("\\", r"\\").replace("'", "''") + "':*"
    words = fn.to_tsvector(SQL("'simple'"), TEXT)
    return Expression(words, "@@", fn.to_tsquery(SQL("'simple'"), quoted))
