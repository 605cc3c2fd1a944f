"""The choices: words that a column may hold, and the column that holds one of them."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import peewee
from peewee import SQL, CharField


class Role(StrEnum):
    """What a person may do; each role may do what the ones before it may."""

    USER = "user"
    MODERATOR = "moderator"
    ADMIN = "admin"
    OWNER = "owner"

    @property
    def rank(self) -> int:
        """The place in the order: 0 for a user, 3 for an owner."""
        return _RANKS[self]

    def __lt__(self, other: str) -> bool:
        return self.rank < Role(other).rank

    def __le__(self, other: str) -> bool:
        return self.rank <= Role(other).rank

    def __gt__(self, other: str) -> bool:
        return self.rank > Role(other).rank

    def __ge__(self, other: str) -> bool:
        return self.rank >= Role(other).rank


_RANKS = {role: rank for rank, role in enumerate(Role)}


class StaffRole(StrEnum):
    """What somebody may do in the panel; each role may do what the ones before it may."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"
    OWNER = "owner"

    def may(self, needed: StaffRole) -> bool:
        """Whether this role is at least the needed one."""
        return _STAFF.index(self) >= _STAFF.index(needed)


_STAFF = list(StaffRole)


class Status(StrEnum):
    """Whether a person takes part: banned by the team, or gone by their own act."""

    ACTIVE = "active"
    BANNED = "banned"
    BLOCKED = "blocked"
    DELETED = "deleted"


class Language(StrEnum):
    """The languages that the bot speaks."""

    EN = "en"
    RU = "ru"


class EventType(StrEnum):
    """The events that the core records; plugins add names of their own."""

    USER_JOINED = "user_joined"
    USER_BLOCKED = "user_blocked"
    USER_UNBLOCKED = "user_unblocked"
    USER_REFERRED = "user_referred"
    MESSAGE = "message"
    COMMAND = "command"
    CALLBACK = "callback"
    INLINE = "inline"


E = TypeVar("E", bound=StrEnum)

if TYPE_CHECKING:

    class _Choice(peewee.Field[E]):
        max_length: int
else:

    class _Choice(CharField, Generic[E]):
        pass


class Choice(_Choice[E]):
    """A short text column that holds the values of one enumeration."""

    def __init__(self, default: E, **options: Any) -> None:
        self.enumeration = type(default)
        options.setdefault("choices", [(value.value, value.value) for value in self.enumeration])
        options.setdefault("constraints", [SQL(f"DEFAULT '{default.value}'")])
        super().__init__(max_length=16, default=default, **options)

    def db_value(self, value: str | None) -> str | None:
        """The plain text; raises ValueError for one that the enumeration lacks."""
        return None if value is None else self.enumeration(value).value

    def python_value(self, value: str) -> E:
        """The member; a value that a newer release wrote reads as the harmless default."""
        try:
            return self.enumeration(value)
        except ValueError:
            return self.default  # type: ignore[no-any-return]
