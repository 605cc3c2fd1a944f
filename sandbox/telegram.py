"""Telegram in memory: the Bot API on one side, the people on the other, no sockets between."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping
from importlib.resources import files as package_files
from random import Random
from typing import Any

from sandbox import bots, edits, messages, queries
from sandbox.account import Account
from sandbox.answers import Answer, ConnectionCut, Impossible, Json, Refused, failure, success
from sandbox.calls import Call
from sandbox.faults import Fault, Faults
from sandbox.files import File, Files
from sandbox.params import Params
from sandbox.people import edit, person_of, press, room_of, text_content, write
from sandbox.rooms import shared_room
from sandbox.updates import Queue, Timing, Wait
from sandbox.world import World

TOKEN = re.compile(r"[1-9]\d{0,18}:[\w-]{10,}", re.ASCII)
KNOWN = {
    name.lower(): name
    for name in package_files("sandbox").joinpath("methods.txt").read_text().split()
}
Method = Callable[[Call], Any]
METHODS: dict[str, Method] = {
    "getme": bots.get_me,
    "getupdates": bots.get_updates,
    "setwebhook": bots.set_webhook,
    "deletewebhook": bots.delete_webhook,
    "getwebhookinfo": bots.get_webhook_info,
    "sendmessage": messages.send_message,
    "forwardmessage": messages.forward_message,
    "copymessage": messages.copy_message,
    "deletemessage": messages.delete_message,
    "sendchataction": messages.send_chat_action,
    "editmessagetext": edits.edit_message_text,
    "editmessagecaption": edits.edit_message_caption,
    "editmessagereplymarkup": edits.edit_message_reply_markup,
    "answercallbackquery": queries.answer_callback_query,
}


class Telegram:
    """Bots, people and chats. Every method may be called from any thread.

    `clock` gives the time in seconds since 1970; `timer`, `wait` and `sleep` are what the long
    polls and the slow faults use, so that a test need not wait for real.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.time,
        random: Random | None = None,
        timer: Callable[[], float] = time.monotonic,
        wait: Wait = threading.Condition.wait,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._random = random or Random()
        self._timing = Timing(clock, timer=timer, wait=wait)
        self._world = World(clock, self._random, Files(self._random))
        self._faults = Faults(sleep)
        self._accounts: dict[int, Account] = {}
        self._lock = threading.Lock()

    # The Bot API

    def call(
        self,
        token: str,
        method: str,
        params: Mapping[str, Any],
        files: Mapping[str, File] | None = None,
    ) -> Answer:
        """Carry out a call of the Bot API; a getUpdates may block for its timeout.

        Raises: ConnectionCut when a fault ends the connection without an answer.
        """
        try:
            account = self._login(token)
        except Refused as error:
            return failure(error)
        call = Call(self._world, account, Params(params, files))
        cut: ConnectionCut | None = None
        try:
            answer = self._answer(call, method.lower())
        except ConnectionCut as error:
            answer, cut = Answer(0, {"ok": False, "description": str(error)}), error
        self._report(call, method, answer)
        if cut is not None:
            raise cut
        return answer

    def _login(self, token: str) -> Account:
        if ":" not in token or token.startswith("0") or len(token) > 80 or "/" in token:
            raise Refused(401, "Unauthorized: invalid token specified")
        if TOKEN.fullmatch(token) is None:
            raise Refused(401, "Unauthorized")
        account = self._account(int(token.partition(":")[0]), token)
        if account.token != token:
            raise Refused(401, "Unauthorized")
        return account

    def _account(self, bot_id: int, token: str = "") -> Account:
        account = self._accounts.get(bot_id)
        if account is not None and (account.token or not token):
            return account
        with self._lock:
            account = self._accounts.get(bot_id)
            if account is None:
                account = Account(bot_id, token, Queue(self._timing, self._random))
                for place in self._world.places:
                    account.rooms[place.id] = shared_room(place, self._world.people)
                self._accounts[bot_id] = account
            account.token = account.token or token
        return account

    def _answer(self, call: Call, method: str) -> Answer:
        try:
            fault = self._faults.meet(method, call.params)
            result = self._perform(call, method)
        except Refused as error:
            return failure(error)
        if fault is not None and fault.kind == "cut_after":
            raise ConnectionCut(sent=True)
        return result if isinstance(result, Answer) else success(result)

    def _perform(self, call: Call, method: str) -> Any:
        perform = METHODS.get(method)
        if perform is bots.get_updates:
            return perform(call)
        if perform is not None:
            with call.account.lock:
                return perform(call)
        if method in KNOWN:
            raise Refused(400, f"Bad Request: the sandbox does not simulate {KNOWN[method]}")
        raise Refused(404, "Not Found: method not found")

    def _report(self, call: Call, method: str, answer: Answer) -> None:
        if method.lower() == "getupdates":
            return
        params = dict(call.params.values)
        for name, file in call.params.files.items():
            params[name] = {"file": file.name, "size": len(file.data)}
        self._world.feed.add(
            "call",
            call.account.id,
            method=KNOWN.get(method.lower(), method),
            params=params,
            status=answer.status,
            answer=answer.body,
            messages=[{"chat_id": chat, "message_id": number} for chat, number in call.made],
        )

    # The people

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
        """A person writes into a chat; the message.

        Raises: Impossible when Telegram would not let them.
        """
        account = self._account(bot_id)
        with account.lock:
            room = room_of(self._world, account, chat_id, person_id)
            person = person_of(self._world, person_id)
            content = text_content(text or "")
            return write(self._world, account, room, person, content, reply_to=reply_to).json

    def edit(self, bot_id: int, chat_id: int, person_id: int, message_id: int, text: str) -> Json:
        """A person edits a message of their own; the message as it is now."""
        account = self._account(bot_id)
        with account.lock:
            room = room_of(self._world, account, chat_id, person_id)
            person = person_of(self._world, person_id)
            return edit(self._world, account, room, person, message_id, text)

    def press(self, bot_id: int, chat_id: int, person_id: int, message_id: int, data: str) -> str:
        """A person presses the inline button with this data; the id of the callback query."""
        account = self._account(bot_id)
        with account.lock:
            room = room_of(self._world, account, chat_id, person_id)
            person = person_of(self._world, person_id)
            return press(self._world, account, room, person, message_id, data)

    # What is to be seen

    def history(self, bot_id: int, chat_id: int) -> list[Json]:
        """The messages of a chat as they are now; deleted ones carry "deleted": true."""
        account = self._account(bot_id)
        with account.lock:
            room = account.rooms.get(chat_id)
            return [stored.shown() for stored in room.messages.values()] if room else []

    def chats(self, bot_id: int, person_id: int) -> list[Json]:
        """The chats that a person has with a bot: the private one first, then the shared ones."""
        account = self._account(bot_id)
        with account.lock:
            person = person_of(self._world, person_id)
            rooms = [account.private(person)]
            rooms += [r for r in account.rooms.values() if not r.private and person_id in r.members]
            return [
                {
                    "chat": room.chat,
                    "status": room.members[person_id],
                    "bot_status": room.bot_status,
                    "blocked": room.blocked,
                    "started": room.started,
                    "moved_to": room.moved_to,
                    "keyboard": room.keyboards.get(person_id),
                    "pinned": list(room.pinned),
                    "last": room.last.shown() if room.last else None,
                }
                for room in rooms
            ]

    def feed(self, after: int = 0, *, timeout: float = 0) -> list[Json]:
        """What happened after the happening of this number; waits for the first if asked to."""
        return self._world.feed.after(after, timeout=timeout)

    # Troubles

    @property
    def faults(self) -> list[Fault]:
        """The troubles that are switched on."""
        return list(self._faults.items)

    def fail(
        self,
        kind: str,
        method: str = "*",
        *,
        chat_id: int | None = None,
        times: int | None = None,
        value: float | None = None,
    ) -> Fault:
        """Switch a trouble on; see `sandbox.faults`."""
        return self._faults.add(Fault(str(kind), method, chat_id, times, value))

    def heal(self) -> None:
        """Switch every trouble off."""
        self._faults.clear()


__all__ = ["Answer", "ConnectionCut", "Fault", "File", "Impossible", "Telegram"]
