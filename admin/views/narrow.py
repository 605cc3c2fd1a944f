"""Filters of a list: each is one field of the form above it, and one argument of the address."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, ClassVar

import peewee

from choices import Choice
from services import search

SMALLEST, LARGEST = -(2**63), 2**63 - 1
LONGEST = 256


class Odd(ValueError):
    """A value that no row can have; one sentence that says what is expected."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Rows whose column has the value that was chosen; `name` is the argument in the address."""

    name: str
    label: str
    column: peewee.Field[Any]

    kind: ClassVar[str] = "text"
    options: ClassVar[Sequence[tuple[str, str]]] = ()

    def condition(self, value: str) -> Any:
        """The condition for a value from the address. Raises Odd."""
        return self.column == plain(value, self.label)


@dataclass(frozen=True, slots=True)
class OneOf(Filter):
    """One of a few words, by a drop-down."""

    words: tuple[tuple[str, str], ...] = ()

    kind = "select"

    @property
    def options(self) -> Sequence[tuple[str, str]]:  # type: ignore[override]
        """Each value with what is shown for it."""
        return self.words

    def condition(self, value: str) -> Any:
        """Refuses what is not among the words."""
        if value not in dict(self.words):
            raise Odd(f"{self.label} has no value {value[:40]!r}.")
        if isinstance(self.column, Choice) and value != self.column.default:
            # where what is rare has an index of its own, SQLite must hear what that leaves out
            left_out = peewee.SQL(f"'{self.column.default}'")
            return (self.column == value) & (self.column != left_out)
        return self.column == (value == "yes" if _is_bool(self.column) else value)


@dataclass(frozen=True, slots=True)
class Number(Filter):
    """A whole number that fits 64 bits."""

    kind = "number"

    def condition(self, value: str) -> Any:
        """Refuses what is no such number."""
        return self.column == whole(value, self.label)


@dataclass(frozen=True, slots=True)
class Person(Filter):
    """Rows that point at a person, who is named by Telegram id or username."""

    def condition(self, value: str) -> Any:
        """Nobody of that name: no rows."""
        return self.column == search.id_of(plain(value, self.label))


@dataclass(frozen=True, slots=True)
class Word(Filter):
    """A word that is written, while the words that there are, are proposed."""

    words: Callable[[], Sequence[str]] = tuple

    kind = "word"

    @property
    def options(self) -> Sequence[tuple[str, str]]:  # type: ignore[override]
        """The words that there are."""
        return [(word, word) for word in self.words()]


@dataclass(frozen=True, slots=True)
class Since(Filter):
    """A day from which on, in UTC."""

    kind = "date"

    def condition(self, value: str) -> Any:
        """Refuses what is no day."""
        return self.column >= day(value, self.label)


@dataclass(frozen=True, slots=True)
class Until(Filter):
    """A day up to whose end, in UTC."""

    kind = "date"

    def condition(self, value: str) -> Any:
        """Refuses what is no day."""
        return self.column < day(value, self.label, after=1)


def plain(text: str, label: str) -> str:
    """A text that the database can be asked for. Raises Odd."""
    if "\0" in text or len(text) > LONGEST:
        raise Odd(f"{label} is at most {LONGEST} letters.")
    return text


def whole(text: str, label: str) -> int:
    """A number that the database can hold. Raises Odd."""
    try:
        number = int(text)
    except ValueError:
        raise Odd(f"{label} must be a whole number.") from None
    if not SMALLEST <= number <= LARGEST:
        raise Odd(f"{label} is too large a number.")
    return number


def day(text: str, label: str, *, after: int = 0) -> datetime:
    """Midnight of a day, or of the one so many days after. Raises Odd."""
    try:
        return datetime.combine(date.fromisoformat(text), time()) + timedelta(days=after)
    except (ValueError, OverflowError):
        raise Odd(f"{label} must be a day such as 2026-01-31.") from None


def fitting(column: peewee.Field[Any], label: str) -> list[Filter]:
    """The filters that suit a column: by what it is, subclasses included."""
    name = column.name
    if isinstance(column, Choice):
        words = tuple((each.value, each.value) for each in column.enumeration)
        return [OneOf(name, label, column, words)]
    if _is_bool(column):
        return [OneOf(name, label, column, (("yes", "yes"), ("no", "no")))]
    if isinstance(column, peewee.DateTimeField | peewee.DateField):
        return [
            Since(f"{name}_from", f"{label} from", column),
            Until(f"{name}_to", f"{label} to", column),
        ]
    if isinstance(column, peewee.IntegerField | peewee.ForeignKeyField | peewee.FloatField):
        return [Number(name, label, column)]
    return [Filter(name, label, column)]


def _is_bool(column: peewee.Field[Any]) -> bool:
    return isinstance(column, peewee.BooleanField)
