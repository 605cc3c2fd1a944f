"""Telegram in memory: the Bot API on one side, the people on the other, no sockets between."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice, takewhile

from sandbox import business, joining, members, people, polls, reactions, stars
from sandbox.answers import Answer, ConnectionCut, Impossible, Json
from sandbox.api import Api
from sandbox.arrivals import absorb
from sandbox.cast import Person, Place
from sandbox.commands import shown_commands
from sandbox.faults import Fault
from sandbox.files import File
from sandbox.methods import KNOWN
from sandbox.rooms import INSIDE, Room, shared_room
from sandbox.scenes import Scene, find_person, open_scene


class Telegram(Api):
    """Bots, people and chats. Every method may be called from any thread.

    `clock` gives the time in seconds since 1970; `timer`, `wait` and `sleep` are what the long
    polls and the slow faults use, so that a test need not wait for real. What a person cannot do
    raises Impossible with a sentence that says why.
    """

    def cast(self) -> list[Json]:
        """The people, as User objects, the bot's owner first."""
        return [person.user for person in self._world.people.values()]

    def send(
        self,
        bot_id: int,
        chat_id: int,
        person_id: int,
        *,
        text: str | None = None,
        photo: File | None = None,
        document: File | None = None,
        caption: str | None = None,
        reply_to: int | None = None,
    ) -> Json:
        """A person writes a text, or sends a photo or a document; the message."""
        with self._scene(bot_id, chat_id, person_id) as scene:
            if photo is not None:
                content = people.photo_content(scene, photo, caption)
            elif document is not None:
                content = people.document_content(scene, document, caption)
            else:
                content = people.text_content(text or "")
            return people.write(scene, content, reply_to=reply_to)

    def send_album(
        self,
        bot_id: int,
        chat_id: int,
        person_id: int,
        photos: Sequence[File],
        caption: str | None = None,
    ) -> list[Json]:
        """A person sends several photos as one album; its messages."""
        with self._scene(bot_id, chat_id, person_id) as scene:
            return people.album(scene, photos, caption)

    def edit(self, bot_id: int, chat_id: int, person_id: int, message_id: int, text: str) -> Json:
        """A person edits the text or the caption of a message of their own; the message."""
        with self._scene(bot_id, chat_id, person_id) as scene:
            return people.edit(scene, message_id, text)

    def press(self, bot_id: int, chat_id: int, person_id: int, message_id: int, data: str) -> str:
        """A person presses the inline button with this data; the id of the callback query."""
        with self._scene(bot_id, chat_id, person_id) as scene:
            return people.press(scene, message_id, data)

    def vote(
        self, bot_id: int, chat_id: int, person_id: int, message_id: int, options: Sequence[int]
    ) -> None:
        """A person votes in a poll, by the numbers of the options; none takes the vote back."""
        with self._scene(bot_id, chat_id, person_id) as scene:
            polls.vote(scene, message_id, list(options))

    def react(
        self, bot_id: int, chat_id: int, person_id: int, message_id: int, emoji: str | None
    ) -> None:
        """A person reacts to a message; None takes the reaction back."""
        with self._scene(bot_id, chat_id, person_id) as scene:
            reactions.react(scene, message_id, emoji)

    def block(self, bot_id: int, person_id: int, blocked: bool = True) -> None:
        """A person stops the bot, or lets it write again."""
        account = self._account(bot_id)
        with account.lock:
            person = find_person(self._world, person_id)
            members.block(self._world, account, person, blocked=blocked)

    def member(self, bot_id: int, chat_id: int, person_id: int, status: str) -> None:
        """A person, or the bot by its own id, joins ("member"), leaves ("left"), and so on."""
        account = self._account(bot_id)
        with account.lock:
            members.set_status(self._world, account, chat_id, person_id, status)

    def ask_to_join(self, bot_id: int, chat_id: int, person_id: int) -> None:
        """A person asks to be let into a group or channel."""
        account = self._account(bot_id)
        with account.lock:
            joining.request(self._world, account, chat_id, find_person(self._world, person_id))

    def pay(self, bot_id: int, chat_id: int, person_id: int, message_id: int) -> str:
        """A person pays the bill in a message; the id of the pre-checkout query."""
        with self._scene(bot_id, chat_id, person_id) as scene:
            return stars.pay(scene, message_id)

    def connect_business(self, bot_id: int, owner_id: int) -> str:
        """A person lets the bot answer for them; the id of the business connection."""
        account = self._account(bot_id)
        with account.lock:
            return business.connect(self._world, account, find_person(self._world, owner_id))

    def send_business(self, bot_id: int, connection: str, person_id: int, text: str) -> Json:
        """A person writes to the owner of a business account; the message."""
        account = self._account(bot_id)
        with account.lock:
            person = find_person(self._world, person_id)
            return business.write(self._world, account, connection, person, text)

    def history_business(self, bot_id: int, connection: str, person_id: int) -> list[Json]:
        """The messages of a person with the owner of a business account."""
        account = self._account(bot_id)
        with account.lock:
            room = account.business_rooms.get((connection, person_id))
            return [stored.shown() for stored in room.messages.values()] if room else []

    def migrate(self, bot_id: int, old_group: int) -> int:
        """A group becomes a supergroup with another id, which is returned."""
        account = self._account(bot_id)
        with account.lock:
            return members.migrate(self._world, account, old_group)

    def post(self, bot_id: int, channel_id: int, text: str) -> Json:
        """The channel's creator posts; the message."""
        account = self._account(bot_id)
        room = account.rooms.get(channel_id)
        creators = room.members.items() if room else ()
        creator = next((who for who, status in creators if status == "creator"), None)
        if creator is None:
            raise Impossible(f"There is no channel {channel_id} with a creator.")
        return self.send(bot_id, channel_id, creator, text=text)

    def inline(self, bot_id: int, person_id: int, query: str) -> str:
        """A person types "@bot query" into some chat; the id of the inline query."""
        account = self._account(bot_id)
        with account.lock:
            person = find_person(self._world, person_id)
            return people.ask_inline(self._world, account, person, query)

    def choose(
        self, bot_id: int, chat_id: int, person_id: int, query_id: str, result_id: str
    ) -> Json:
        """A person sends a result of an inline query into a chat; the message."""
        with self._scene(bot_id, chat_id, person_id) as scene:
            return people.choose(scene, query_id, result_id)

    def push(self, bot_id: int, update: Json) -> int:
        """Queue an update as it is, without its id, which is returned; 0 when the queue is full.

        People, private chats and messages in it that the sandbox has not seen become known to it.
        """
        account = self._account(bot_id)
        with account.lock:
            absorb(self._world, account, update)
            queued = account.queue.force(update)
        return queued["update_id"] if queued else 0

    def add_person(self, person: Person) -> None:
        """One more person, in none of the groups."""
        self._world.enroll(person)

    def add_place(self, place: Place) -> None:
        """One more group or channel, with the people of the cast in it."""
        with self._lock:
            self._world.places.append(place)
            for account in self._accounts.values():
                account.rooms[place.id] = shared_room(place, self._world.residents, account.numbers)

    def history(
        self, bot_id: int, chat_id: int, *, after: int = 0, most: int | None = None
    ) -> list[Json]:
        """The messages of a chat as they are now, the oldest first.

        Only those after the message of a number, and at most so many of the newest, if asked to.
        Beyond the Bot API's fields: "deleted", "keyboard" (what the message did to the input
        field) and "reactions" (by the id of who reacted).
        """
        account = self._account(bot_id)
        with account.lock:
            room = account.rooms.get(chat_id)
            newest = islice(reversed(room.messages.values()), most) if room else ()
            found = takewhile(lambda stored: stored.json["message_id"] > after, newest)
            return [stored.shown() for stored in found][::-1]

    def chats(self, bot_id: int, person_id: int) -> list[Json]:
        """The chats that a person has with a bot: the private one first, then the shared ones."""
        account = self._account(bot_id)
        with account.lock:
            person = find_person(self._world, person_id)
            shared = [room for room in account.rooms.values() if not room.private]
            rooms = [account.private(person), *(r for r in shared if person_id in r.members)]
            return [_list(room, person_id) for room in rooms]

    def commands(self, bot_id: int, chat_id: int, person_id: int) -> list[Json]:
        """What the "/" menu shows to a person in a chat."""
        with self._scene(bot_id, chat_id, person_id) as scene:
            return shown_commands(scene.account, scene.room, scene.person)

    def feed(self, after: int = 0, *, timeout: float = 0) -> list[Json]:
        """What happened after the happening of this number; waits for the first if asked to."""
        return self._world.feed.after(after, timeout=timeout)

    def unconfirmed(self, bot_id: int) -> int:
        """How many updates are kept for a bot that has not confirmed them."""
        return len(self._account(bot_id).queue)

    @property
    def newest(self) -> int:
        """The number of the newest happening, 0 before the first."""
        return self._world.feed.last

    @contextmanager
    def _scene(self, bot_id: int, chat_id: int, person_id: int) -> Iterator[Scene]:
        account = self._account(bot_id)
        with account.lock:
            yield open_scene(self._world, account, chat_id, person_id)


def _list(room: Room, person_id: int) -> Json:
    status = room.members[person_id]
    return {
        "chat": room.chat,
        "status": status,
        "inside": status in INSIDE,
        "bot_status": room.bot_status,
        "blocked": room.blocked,
        "started": room.started,
        "moved_to": room.moved_to,
        "keyboard": room.keyboards.get(person_id),
        "pinned": list(room.pinned),
        "last": room.last.shown() if room.last else None,
    }


__all__ = [
    "KNOWN",
    "Answer",
    "ConnectionCut",
    "Fault",
    "File",
    "Impossible",
    "Person",
    "Place",
    "Telegram",
]
