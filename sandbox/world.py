"""What all bots of the sandbox share: the clock, the people, the files and the feed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from sandbox.answers import Json
from sandbox.cast import PEOPLE, PLACES, Person, Place
from sandbox.feed import Feed
from sandbox.files import Files


@dataclass(slots=True)
class World:
    """The parts of the sandbox that do not belong to one bot."""

    clock: Callable[[], float]
    random: Random
    files: Files
    feed: Feed = field(default_factory=Feed)
    people: dict[int, Person] = field(default_factory=lambda: {who.id: who for who in PEOPLE})
    users: dict[int, Json] = field(default_factory=lambda: {who.id: who.user for who in PEOPLE})
    places: list[Place] = field(default_factory=lambda: list(PLACES))
    residents: tuple[int, ...] = tuple(who.id for who in PEOPLE)

    def enroll(self, person: Person) -> None:
        """Make somebody known to everybody."""
        self.people[person.id] = person
        self.users[person.id] = person.user

    def now(self) -> int:
        """The time in whole seconds, as Telegram dates things."""
        return int(self.clock())

    def number(self) -> str:
        """A long random number as text, for the ids of queries, polls and albums."""
        return str(self.random.randint(10**17, 10**18))
