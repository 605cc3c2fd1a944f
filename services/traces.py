"""Traces: where a person is mentioned in JSON and texts that belong to somebody else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import peewee


class Person(NamedTuple):
    """Whom to look for; `id` is the key of the row in users, 0 without one."""

    telegram_id: int
    id: int = 0
    username: str | None = None
    names: tuple[str, ...] = ()

    @property
    def marks(self) -> list[str]:
        """What stands for the person in any text: a bare username may be anybody's word."""
        return [str(self.telegram_id), *([f"@{self.username}"] if self.username else [])]


def mentions(person: Person, text: str | None) -> bool:
    """Whether a text holds the person's Telegram id or username as a whole word."""
    return bool(text and _pattern(person.marks).search(text))


def scrub(person: Person, value: Any) -> Any:
    """JSON without the person: every number and text that mentions them is null."""
    if isinstance(value, dict):
        return {
            key: scrub(person, each) for key, each in value.items() if not mentions(person, key)
        }
    if isinstance(value, list):
        return [scrub(person, each) for each in value]
    if isinstance(value, int | str) and mentions(person, str(value)):
        return None
    return value


def is_by(person: Person, payload: str) -> bool:
    """Whether a raw update comes from the person."""
    try:
        update = json.loads(payload)
    except ValueError:
        return False
    for event in update.values() if isinstance(update, dict) else ():
        for name in ("from", "user"):
            sender = event.get(name) if isinstance(event, dict) else None
            if isinstance(sender, dict) and sender.get("id") == person.telegram_id:
                return True
    return False


def rows_with(
    person: Person, model: type[peewee.Model], *columns: peewee.Field[Any]
) -> Iterator[Any]:
    """The rows of which a column mentions the person; walks through the whole table."""
    wanted = None
    for column in columns:
        for mark in person.marks:
            like = column.cast("text").contains(mark)
            wanted = like if wanted is None else wanted | like
    for row in list(model.select().where(wanted)):
        values = [row.__data__[column.name] for column in columns]
        texts = [v if isinstance(v, str | None) else json.dumps(v) for v in values]
        if any(mentions(person, text) for text in texts):
            yield row


def words_of(person: Person) -> list[str]:
    """What a cached value about the person may be kept under, or say."""
    ids = [str(person.telegram_id), *([str(person.id)] if person.id else [])]
    return [*ids, *filter(None, (person.username, *person.names))]


def matcher(words: Sequence[str]) -> re.Pattern[str]:
    """Finds each of the words as a whole, in plain text and as JSON escapes it."""
    return _pattern([*words, *(json.dumps(word)[1:-1] for word in words)])


def _pattern(words: Sequence[str]) -> re.Pattern[str]:
    """An id is no part of a longer number and not a chat's, which has a minus before it."""
    choice = "|".join(
        rf"(?<!\d)(?<!(?<!\w)-){word}(?!\d)"
        if word.isdecimal()
        else rf"(?<!\w){re.escape(word)}(?!\w)"
        for word in words
    )
    return re.compile(choice, re.IGNORECASE)
