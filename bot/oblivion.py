"""Oblivion: lets go of what this process remembers of people who were erased."""

from __future__ import annotations

from bot.conversations import Conversations
from bot.throttle import Throttle
from models import Status, User
from services import erasures, privacy
from services.cache import Cache
from services.traces import Person, words_of
from services.users import People


class Oblivion:
    """`let_go` for an erasure of this process, `refresh` once a second for those of others."""

    def __init__(
        self, people: People, conversations: Conversations, throttle: Throttle, cache: Cache
    ) -> None:
        self._people = people
        self._conversations = conversations
        self._throttle = throttle
        self._cache = cache
        self._seen = 0

    def let_go(self, user: User) -> None:
        """Drop what is in memory of a person, and what the cache holds.

        What they sent and waits in memory has the same object: nothing handles it any more.
        """
        user.take({"status": Status.BANNED})
        self._people.forget(user.telegram_id)
        self._drop(privacy.person_of(user))

    def refresh(self) -> None:
        """Follow the erasures of other processes; who came back since is somebody new."""
        remembered = {*self._people.ids(), *self._conversations.ids()}
        self._seen, erased = erasures.since(self._seen, remembered)
        for telegram_id in erased:
            if User.select().where(User.telegram_id == telegram_id).exists():
                continue
            if user := self._people.get(telegram_id):
                self.let_go(user)
            else:
                self._drop(Person(telegram_id))

    def _drop(self, person: Person) -> None:
        self._conversations.forget(person)
        self._throttle.forget(person.telegram_id)
        self._cache.forget(words_of(person))
