"""A failure written down as a test: the update comes again, from people of the test kit."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from bot import codec
from bot.raw import kind_of
from database import bind, open_database
from models import Failure, Role, User
from sandbox.account import SANDBOX_BOT
from sandbox.cast import CHANNEL_ID, GROUP_ID, PEOPLE, PLACES, Person
from sandbox.literals import literal
from settings import Settings

FILE = '''"""{handler}() of the plugin {plugin} raised {error}."""

from bot.testing import {types}


def test_{handler}({fixtures}) -> None:
    """What made it fail is answered."""
    {deed}
'''
PLAIN = {"message_id", "from", "chat", "date", "text", "entities"}
"""The fields of a message that a person can write by hand."""
PRIVATE = {"phone_number": "+10000000000", "email": "somebody@example.org", "vcard": ""}
SHORTEST = 3
"""Letters of a name that is looked for in texts too."""


def write_test(failure: Failure) -> str:
    """A test file that fails as long as the plugin does; names and ids are the cast's.

    Raises ValueError when the failure has no update any more.
    """
    if not failure.payload:
        raise ValueError(f"Failure {failure.id} has no update: it was dismissed.")
    update = codec.loads(failure.payload)
    masks = Masks(failure.bot_id)
    masks.meet(update, first=_stand_in(failure.user_id))
    shown = masks.put_on({key: value for key, value in update.items() if key != "update_id"})
    fixtures, deed = _deed(shown)
    return FILE.format(
        plugin=failure.plugin or "core",
        handler=re.sub(r"\W+", "_", failure.handler) or "update",
        error=failure.error,
        types=", ".join(sorted(set(fixtures.values()))),
        fixtures=", ".join(f"{name}: {kind}" for name, kind in fixtures.items()),
        deed=deed,
    )


@dataclass(slots=True)
class Masks:
    """Who and what in an update is shown as whom and what of the sandbox."""

    bot_id: int
    people: dict[int, Person] = field(default_factory=dict)
    chats: dict[int, tuple[int, str]] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)

    def meet(self, update: Any, first: Person | None = None) -> None:
        """Learn everybody and every chat in an update; the first person is played by `first`."""
        for found in _objects(update):
            if "first_name" in found and "title" not in found and found["id"] not in self.people:
                self._meet_person(found, first)
            elif "title" in found and found["id"] not in self.chats:
                self._meet_chat(found)

    def put_on(self, value: Any) -> Any:
        """The same with the names and the ids of the sandbox."""
        if isinstance(value, list):
            return [self.put_on(item) for item in value]
        if isinstance(value, str):
            return self._text(value)
        if not isinstance(value, dict):
            return self._number(value)
        if value.get("id") in self.people and "first_name" in value:
            return self._person(value)
        kept = {key: self._field(key, item) for key, item in value.items()}
        if value.get("id") in self.chats and "title" in value:
            _, kept["title"] = self.chats[value["id"]]
            kept.pop("username", None)
        return kept

    def _field(self, key: str, value: Any) -> Any:
        return PRIVATE[key] if key in PRIVATE else self.put_on(value)

    def _meet_person(self, user: dict[str, Any], first: Person | None) -> None:
        if user["id"] == self.bot_id:
            self.people[user["id"]] = Person(SANDBOX_BOT, "Sandbox bot", username="sandbox_bot")
        else:
            russian = user.get("language_code") == "ru"
            likely = [first or PEOPLE[2 if russian else 1], PEOPLE[1], PEOPLE[3], *PEOPLE]
            taken = {person.id for person in self.people.values()}
            number = len(self.people) + 1
            extra = Person(2000 + number, f"Person {number}")
            free = [p for p in likely if p.id not in taken and not user.get("is_bot")]
            self.people[user["id"]] = free[0] if free else extra
        mask = self.people[user["id"]]
        for key, name in (("username", mask.username or mask.first_name), ("last_name", "")):
            self._learn(user.get(key), name)
        self._learn(user.get("first_name"), mask.first_name)

    def _meet_chat(self, chat: dict[str, Any]) -> None:
        place = PLACES[1 if chat.get("type") == "channel" else 0]
        number = place.id - len(self.chats) if self._is_taken(place.id) else place.id
        self.chats[chat["id"]] = (number, place.title)
        self._learn(chat["title"], place.title)
        self._learn(chat.get("username"), "somewhere")

    def _is_taken(self, number: int) -> bool:
        return any(number == taken for taken, _ in self.chats.values())

    def _learn(self, word: Any, shown: str) -> None:
        if isinstance(word, str) and len(word) >= SHORTEST:
            self.words[word.lower()] = shown

    def _person(self, user: dict[str, Any]) -> dict[str, Any]:
        mask = self.people[user["id"]]
        shown = mask.chat if user.get("type") == "private" else mask.user
        return {**shown, "is_bot": user["is_bot"]} if "is_bot" in user else dict(shown)

    def _number(self, value: Any) -> Any:
        if type(value) is not int:
            return value
        if value in self.people:
            return self.people[value].id
        return self.chats[value][0] if value in self.chats else value

    def _text(self, text: str) -> str:
        ids = {str(number): str(mask.id) for number, mask in self.people.items()}
        ids |= {str(number): str(shown) for number, (shown, _) in self.chats.items()}
        known = ids | self.words
        if not known:
            return text
        pattern = "|".join(map(re.escape, sorted(known, key=len, reverse=True)))
        found = rf"(?<!\w)(?:{pattern})(?!\w)"
        return re.sub(found, lambda word: known[word[0].lower()], text, flags=re.IGNORECASE)


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """Every person and every chat in an update, outermost first."""
    if isinstance(value, dict):
        if type(value.get("id")) is int and ("first_name" in value or "title" in value):
            yield value
        for key in sorted(value, key=lambda name: name != "from"):
            yield from _objects(value[key])
    elif isinstance(value, list):
        for item in value:
            yield from _objects(item)


def _stand_in(user_id: int | None) -> Person | None:
    """Alice for somebody of the team: what they may do, a user may not."""
    user = User.get_or_none(User.telegram_id == user_id) if user_id else None
    return PEOPLE[0] if user and user.role is not Role.USER else None


def _deed(update: dict[str, Any]) -> tuple[dict[str, str], str]:
    """The fixtures that a test needs and the line that brings the update."""
    kind = kind_of(update)
    event = update.get(kind, {})
    who = {person.id: person.first_name.lower() for person in PEOPLE} | {1003: "vera"}
    places = {GROUP_ID: "group", CHANNEL_ID: "channel"}
    writer, chat = event.get("from", {}).get("id"), event.get("chat", {}).get("id")
    if kind == "message" and "text" in event and set(event) <= PLAIN and writer in who:
        said = literal(event["text"], 4, taken=20)
        if chat == writer:
            return {who[writer]: "Person"}, f"{who[writer]}.send({said})"
        if chat in places:
            fixtures = {who[writer]: "Person", places[chat]: "View"}
            return fixtures, f"{who[writer]}.send({said}, to={places[chat]})"
    return {"kit": "ChatKit"}, f"kit.push({literal(update, 4, taken=10)})"


def print_failure(settings: Settings, failure_id: int) -> int:
    """Print the test of a failure; give the exit code."""
    database = bind(open_database(settings.database_url.reveal()))
    try:
        with database.connection_context():
            failure = Failure.get_or_none(Failure.id == failure_id)
            if failure is None:
                raise ValueError(f"There is no failure {failure_id} in the table failures.")
            print(write_test(failure), end="")
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        database.close_all()
    return 0


def print_chat(settings: Settings) -> int:
    """Print the test of the sandbox's newest chat; give the exit code."""
    url = f"http://127.0.0.1:{settings.sandbox_port}/app/recording"
    try:
        with urlopen(url, timeout=10) as answer:
            print(json.load(answer)["test"], end="")
    except (URLError, ValueError, KeyError):
        print(
            f"No sandbox with a chat answers at port {settings.sandbox_port}: start it with"
            " make run, and write something to the bot.",
            file=sys.stderr,
        )
        return 1
    return 0
