"""Rows of an invented installation: who joined, what they did, and what the team has of it.

Everything follows from a seed and from the moment at which the story ends. The numbers fit each
other: a person's counter is the number of their messages, and they were last seen at their last.
"""

from __future__ import annotations

import json
import random
from array import array
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Any, TypeAlias

Row: TypeAlias = tuple[Any, ...]

BOT = 123456789
SPAN = timedelta(days=365)
GROWTH = 1.5
"""How the bot grew: 1 is not at all, 2 is by as much every day."""

FIRST = {
    "en": "Anna Maria John Peter Olivia Emma Liam Noah Ava Mia Lucas Ethan Sofia Amir Fatima Omar"
    " Layla Diego Carlos Lucia Wei Li Chen Yuki Hana Kenji Priya Arjun Rahul Ingrid Lars Freja"
    " Chloe Louis Hugo Elena Marco Giulia Nina Jonas",
    "ru": "Анна Мария Иван Пётр Ольга Елена Дмитрий Сергей Алексей Наталья Татьяна Михаил Андрей"
    " Юлия Екатерина Владимир Павел Ксения Артём Максим Дарья Полина Никита Роман Светлана Игорь",
}
LAST = {
    "en": "Smith Johnson Brown Garcia Miller Davis Martinez Lopez Wilson Anderson Taylor Lee Wong"
    " Kim Park Nguyen Tanaka Suzuki Kumar Singh Patel Rossi Müller Schmidt Larsen O'Neill",
    "ru": "Иванов Петров Сидоров Смирнов Кузнецов Попов Васильев Соколов Михайлов Новиков Фёдоров"
    " Морозов Волков Алексеев Лебедев Семёнов Егоров Павлов Козлов Степанов",
}
SYLLABLES = "ba ko ri ne lu ma tse vi sha do gar mel fen hu zo pi yar wyn ster quo".split()
SOURCES = "qr-shop ad_spring ad_autumn friend blog youtube podcast conf2026 landing-b".split()
COMMANDS = "start help settings notes note stats play invite lang feedback".split()
KINDS = {
    "message": 56.0,
    "command": 24.0,
    "callback": 13.0,
    "inline": 3.0,
    "user_blocked": 1.0,
    "user_unblocked": 0.3,
    "user_referred": 1.2,
    "notes.saved": 1.0,
    "game.won": 0.5,
    "gift.sent": 0.001,
}
NAMES = list(KINDS)
STATUSES = {"active": 90.0, "banned": 2.0, "blocked": 7.0, "deleted": 1.0}
ROLES = {"user": 99.96, "moderator": 0.03, "admin": 0.009, "owner": 0.001}
STATES = {"received": 48.0, "sent": 48.0, "failed": 3.0, "unknown": 1.0}


def telegram_id(user: int) -> int:
    """The id of somebody that does not say when they joined."""
    return 10_000 + user * 2_654_435_761 % 2**33


class Story:
    """The whole of it: everybody joins in turn, and in between those who are there do something."""

    def __init__(self, users: int, events: int, *, until: datetime, seed: int = 1) -> None:
        self.users, self.events = users, max(events, users)
        self.start, self.random = until - SPAN, random.Random(seed)
        self.step = self.events // users
        self.who, self.kinds = array("i"), array("b")
        self.messages, self.last = array("i", [0]) * (users + 1), array("i", [0]) * (users + 1)
        self._live()
        self.banned: list[int] = []

    def at(self, event: int) -> datetime:
        """When an event happened: ever more of them in a day."""
        share: float = (event / self.events) ** (1 / GROWTH)
        return self.start + SPAN * share

    def time(self, event: int) -> str:
        """The same, as both engines read it."""
        return self.at(event).isoformat(" ", "microseconds")

    def people(self) -> Iterator[Row]:
        """Rows of `users`, in the order of `id`."""
        pick = self.random.choices
        for user in range(1, self.users + 1):
            language = "ru" if self.random.random() < 0.4 else "en"
            first, last, username = self._name(language)
            status = pick(list(STATUSES), list(STATUSES.values()))[0]
            if status == "banned":
                self.banned.append(user)
            seen = self.time(self.last[user])
            yield (
                *(user, telegram_id(user), username, first, last, language, status),
                pick(list(ROLES), list(ROLES.values()))[0],
                self._referrer(user),
                self._source(),
                *(self.messages[user], None if self.random.random() < 0.01 else seen),
                *(self.time((user - 1) * self.step), seen),
            )

    def happenings(self) -> Iterator[Row]:
        """Rows of `analytics_events`, in the order of `id`."""
        commands = [json.dumps({"command": f"/{name}"}) for name in COMMANDS]
        for event, (user, kind) in enumerate(zip(self.who, self.kinds)):
            at = self.time(event)
            data = commands[event * user % len(commands)] if kind == 1 else None
            yield event + 1, "user_joined" if kind < 0 else NAMES[kind], user, data, at, at

    def _live(self) -> None:
        """Let everything happen: who did what, which kind (-1: joined), and who is busy."""
        rand, joined = self.random.random, 0
        for start in range(0, self.events, 100_000):
            count = min(100_000, self.events - start)
            weights = list(accumulate(KINDS.values()))
            kinds = self.random.choices(range(len(NAMES)), cum_weights=weights, k=count)
            for event, kind in enumerate(kinds, start):
                if event % self.step == 0 and joined < self.users:
                    joined += 1
                    user, kind = joined, -1  # noqa: PLW2901
                elif rand() < 0.5:  # somebody new
                    user = joined - int(joined * 0.1 * rand())
                else:  # somebody loyal
                    user = 1 + int(joined * rand() ** 3)
                self.who.append(user)
                self.kinds.append(kind)
                self.last[user] = event
                self.messages[user] += 0 <= kind <= 1

    def _name(self, language: str) -> tuple[str, str | None, str | None]:
        pick, rand = self.random.choice, self.random.random
        first = pick(FIRST[language].split())
        last: str | None = pick(LAST[language].split())
        if rand() < 0.5:
            last = "".join(self.random.choices(SYLLABLES, k=3)).capitalize()
        if rand() < 0.3:
            last = None
        username = None
        if rand() < 0.7:
            word = first if first.isascii() else "".join(self.random.choices(SYLLABLES, k=2))
            number = self.random.randrange(10_000)
            username = f"{word}_{''.join(self.random.choices(SYLLABLES, k=2))}{number}"
        return first, last, username

    def _referrer(self, user: int) -> int | None:
        """One of those who were there before; a few brought very many."""
        if user == 1 or self.random.random() > 0.15:
            return None
        return 1 + int((user - 1) * self.random.random() ** 6)

    def _source(self) -> str | None:
        """Where people came from: mostly a handful of places, and many links used once or twice."""
        chance = self.random.random()
        if chance < 0.7:
            return None
        if chance < 0.75:
            return f"link-{self.random.randrange(self.users // 10 + 1)}"
        return self.random.choice(SOURCES)
