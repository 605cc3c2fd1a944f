"""The people and the chats that every bot finds in the sandbox."""

from __future__ import annotations

from dataclasses import dataclass, field

from sandbox.answers import Json

GROUP_ID = -1001000000001
CHANNEL_ID = -1002000000001
OWNER_ID = 1001


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a Telegram account; `user` and `chat` are the Bot API's views of them."""

    id: int
    first_name: str
    last_name: str | None = None
    username: str | None = None
    language_code: str | None = "en"
    user: Json = field(init=False, repr=False, compare=False)
    chat: Json = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        names = {
            "first_name": self.first_name,
            "last_name": self.last_name,
            "username": self.username,
        }
        shown = {key: value for key, value in names.items() if value}
        user: Json = {"id": self.id, "is_bot": False, **shown}
        if self.language_code:
            user["language_code"] = self.language_code
        object.__setattr__(self, "user", user)
        object.__setattr__(self, "chat", {"id": self.id, "type": "private", **shown})


@dataclass(frozen=True, slots=True)
class Place:
    """A group or a channel as it is before anything happens in it."""

    id: int
    kind: str
    title: str
    creator: int
    username: str | None = None


PEOPLE = (
    Person(OWNER_ID, "Alice", username="alice"),
    Person(1002, "Bob", username="bob"),
    Person(1003, "Вера", username="vera", language_code="ru"),
    Person(1004, "Dan"),
)
PLACES = (
    Place(GROUP_ID, "supergroup", "Steady team", OWNER_ID),
    Place(CHANNEL_ID, "channel", "Steady news", OWNER_ID),
)
