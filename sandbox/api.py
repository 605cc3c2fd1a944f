"""The Bot API without sockets: a token, a method and parameters in, an answer out."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from sandbox.account import Account
from sandbox.answers import Answer, ConnectionCut, Json, Refused, failure, success
from sandbox.bots import get_updates
from sandbox.calls import Call
from sandbox.faults import Fault, Faults
from sandbox.files import File, Files
from sandbox.methods import BY_NAME, KNOWN
from sandbox.params import Params
from sandbox.rooms import shared_room
from sandbox.updates import Queue, Timing, Wait
from sandbox.world import World

TOKEN = re.compile(r"[1-9]\d{0,18}:[\w-]{10,}", re.ASCII)
LONGEST_TOKEN = 80


class Api:
    """The bots' side of the sandbox; see `sandbox.telegram.Telegram`."""

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
        call, started = Call(self._world, account, Params(params, files)), time.perf_counter()
        try:
            answer = self._answer(call, method.lower())
        except ConnectionCut as error:
            cut = Answer(0, {"ok": False, "description": str(error)})
            self._report(call, method, cut, started)
            raise
        self._report(call, method, answer, started)
        return answer

    def bots(self) -> list[Json]:
        """The bots that have called, or were written to, so far."""
        return [account.user for account in self._accounts.values()]

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
        """Switch a trouble on for a method or "*", and for a chat or all.

        `kind` is an error status ("429", "403", "502", ...), "slow", "cut_before" or "cut_after";
        `times` None means until healed; `value` is the seconds of retry_after or of the delay.

        Raises: ValueError for a kind that does not exist.
        """
        return self._faults.add(Fault(str(kind), method, chat_id, times, value))

    def heal(self) -> None:
        """Switch every trouble off."""
        self._faults.clear()

    def file(self, key: str) -> File | None:
        """The file with this file_id or file_path; None when there is none."""
        kept = self._world.files.find(key)
        return kept.file if kept else None

    def _login(self, token: str) -> Account:
        if ":" not in token or token.startswith("0") or len(token) > LONGEST_TOKEN or "/" in token:
            raise Refused(401, "Unauthorized: invalid token specified")
        if TOKEN.fullmatch(token) is None:
            raise Refused(401, "Unauthorized")
        account = self._account(int(token.partition(":")[0]), token)
        if account.token != token:
            raise Refused(401, "Unauthorized")
        return account

    def _account(self, bot_id: int, token: str = "") -> Account:
        """The account of a bot, made at the first use; its first token is the only good one."""
        account = self._accounts.get(bot_id)
        if account is not None and (account.token or not token):
            return account
        with self._lock:
            account = self._accounts.get(bot_id)
            if account is None:
                account = Account(bot_id, Queue(self._timing, self._random))
                for place in self._world.places:
                    account.rooms[place.id] = shared_room(
                        place, self._world.residents, account.numbers
                    )
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
        perform = BY_NAME.get(method)
        if perform is get_updates:
            return perform(call)
        if perform is not None:
            with call.account.lock:
                return perform(call)
        if method in KNOWN:
            raise Refused(400, f"Bad Request: the sandbox does not simulate {KNOWN[method]}")
        raise Refused(404, "Not Found: method not found")

    def _report(self, call: Call, method: str, answer: Answer, started: float) -> None:
        """Tell the feed of a call, except of getUpdates, which would drown the rest."""
        name = method.lower()
        if name == "getupdates":
            return
        params = dict(call.params.values)
        for field, file in call.params.files.items():
            params[field] = {"file": file.name, "size": len(file.data)}
        self._world.feed.add(
            "call",
            call.account.id,
            method=KNOWN.get(name, method),
            params=params,
            status=answer.status,
            answer=answer.body,
            date=int(self._world.clock()),
            ms=round((time.perf_counter() - started) * 1000, 1),
            messages=[{"chat_id": chat, "message_id": number} for chat, number in call.made],
        )
