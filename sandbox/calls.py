"""A call of the Bot API on its way: who calls, with what, and which chat it means."""

from __future__ import annotations

from dataclasses import dataclass, field

from sandbox.account import Account
from sandbox.answers import Json, bad, forbidden
from sandbox.params import Params
from sandbox.rooms import INSIDE, Room, Stored
from sandbox.world import World


@dataclass(slots=True)
class Call:
    """One call while it is carried out; `made` lists the messages that it made or changed."""

    world: World
    account: Account
    params: Params
    made: list[tuple[int, int]] = field(default_factory=list)

    def room(self, name: str = "chat_id", *, write: bool = True) -> Room:
        """The chat that a parameter names, by number or @username.

        Raises: Refused, as Telegram does for a chat that is unknown, moved, or closed to the bot.
        """
        value = self.params.text(name).strip()
        if not value:
            raise bad(f"{name} is empty")
        room = self._find(value) if not self.business else self._business(value)
        if room.moved_to is not None:
            raise bad(
                "group chat was upgraded to a supergroup chat", migrate_to_chat_id=room.moved_to
            )
        check_access(room, write=write)
        return room

    def message(self, room: Room, action: str, name: str = "message_id") -> Stored:
        """The message that a parameter names.

        Raises: Refused, "message to <action> not found" or that no message was named.
        """
        message_id = self.params.integer(name)
        if not message_id:
            raise bad("message identifier is not specified")
        stored = room.find(message_id)
        if stored is None:
            raise bad(f"message to {action} not found")
        return stored

    @property
    def business(self) -> str:
        """The id of the business connection that the call is made on behalf of."""
        return self.params.text("business_connection_id")

    def _business(self, value: str) -> Room:
        """A chat of the owner of a business account."""
        if self.business not in self.account.business:
            raise bad("business connection not found")
        number = int(value) if value.lstrip("-").isdigit() else 0
        room = self.account.business_rooms.get((self.business, number))
        if room is None:
            raise bad("BUSINESS_PEER_INVALID")
        return room

    def _find(self, value: str) -> Room:
        if value.startswith("@"):
            room = self._by_username(value[1:].lower())
        else:
            room = self._by_number(value)
        if room is None:
            raise bad("chat not found")
        return room

    def _by_username(self, username: str) -> Room | None:
        rooms = self.account.rooms.values()
        return next((r for r in rooms if r.chat.get("username", "").lower() == username), None)

    def _by_number(self, value: str) -> Room | None:
        try:
            number = int(value)
        except ValueError:
            return None
        if number == self.account.id:
            raise forbidden("bot can't send messages to bots")
        person = self.world.people.get(number)
        return self.account.rooms.get(number) if person is None else self.account.private(person)

    def happen(self, kind: str, room: Room, **facts: object) -> None:
        """Tell the feed what happened in a chat."""
        self.world.feed.add(kind, self.account.id, chat_id=room.id, **facts)

    def note(self, room: Room, message: Json) -> None:
        """Remember that this call made or changed a message."""
        self.made.append((room.id, message["message_id"]))


def check_access(room: Room, *, write: bool) -> None:
    """Refuse what Telegram refuses to a bot that is not, or no longer, welcome in a chat.

    Raises: Refused, a 403 with Telegram's reason.
    """
    if room.private:
        if write and not room.started:
            raise forbidden("bot can't initiate conversation with a user")
        if write and room.blocked:
            raise forbidden("bot was blocked by the user")
        return
    if room.bot_status == "kicked":
        raise forbidden(f"bot was kicked from the {room.kind} chat")
    if room.bot_status not in INSIDE:
        raise forbidden(f"bot is not a member of the {room.kind} chat")
    if write and room.bot_status == "restricted":
        raise bad("not enough rights to send text messages to the chat")
