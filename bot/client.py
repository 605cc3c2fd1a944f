"""The client: every call to Telegram, with its limits, its retries and its count."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from functools import cached_property, partial
from random import random as chance
from typing import TYPE_CHECKING, Any, TypeVar, cast

from telebot.apihelper import ApiTelegramException

from bot.answer import result_of, retry_after
from bot.form import attach, encode, form
from bot.meter import Meter
from bot.proxy import Bot, register
from bot.retries import Retries
from bot.sending import Sending, is_fine
from bot.wire import Ambiguous, NeverSent, Reply

if TYPE_CHECKING:
    from telebot import TeleBot

    from bot.courier import Courier
    from bot.limits import Limits, Turn
    from bot.metrics import Metrics
    from bot.wire import Wire
    from settings import Secret

__all__ = ["Ambiguous", "ApiTelegramException", "Client", "Held", "NeverSent", "Stopping"]

log = logging.getLogger(__name__)

TIMEOUT = (10.0, 30.0)
"""Seconds to connect, and to read the answer."""

TRIES = 5
"""How often a call is made whose fate is not known, before its error is raised."""

SAFE = (
    *("get", "set", "delete", "edit", "answer", "pin", "unpin"),
    *("ban", "unban", "restrict", "promote", "sendChatAction", "download"),
)
"""How the names of the methods begin that may be carried out twice without harm."""

DONE = ("message is not modified", "message to delete not found")
"""What Telegram says of an edit or a deletion that it has carried out before."""

T = TypeVar("T")


class Stopping(Exception):
    """The call is given up: the process is stopping, or it is no longer the one to make calls."""


class Held(Exception):
    """The call has to wait, for the limits or for Telegram, and was not made."""


class Client:
    """Calls Telegram for one bot.

    A call that never left is made again until it gets through. One that may have been carried out
    is made again a few times; when that could double a message it is counted and logged. A call
    that was refused for coming too fast waits as long as Telegram says. What Telegram refuses for
    good is raised as ApiTelegramException.

    `stop` gives up waiting calls: set it when running handlers are to be abandoned, not when they
    may finish. `allowed` says whether this process may make calls. `wait(seconds)` waits and says
    whether to give up; by default it waits for `stop`. `halt` is told when a handler begins to wait
    for Telegram, and gives what is to be called when it goes on.
    """

    def __init__(
        self,
        bot_id: int,
        token: Secret,
        wire: Wire,
        limits: Limits,
        metrics: Metrics,
        *,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], bool] | None = None,
        stop: threading.Event | None = None,
        allowed: Callable[[], bool] = lambda: True,
        random: Callable[[], float] = chance,
        courier: Courier | None = None,
        halt: Callable[[], Callable[[], None] | None] = lambda: None,
    ) -> None:
        self.bot_id = bot_id
        self._token = token
        self._wire = wire
        self._limits = limits
        self._metrics = metrics
        self._meter = Meter(metrics, clock)
        self._stop = stop or threading.Event()
        self._wait = wait or self._stop.wait
        self._allowed = allowed
        self._random = random
        self._courier = courier
        self._halt = halt
        self._retries = Retries(clock)

    def call(
        self,
        method: str,
        params: Mapping[str, Any] | None = None,
        files: Mapping[str, Any] | None = None,
        *,
        timeout: tuple[float, float] | None = None,
    ) -> Any:
        """Call a method and give its result; `timeout` is (connect, read) in seconds.

        Raises ApiTelegramException for a refusal, Ambiguous when too many tries had no clear
        answer, and Stopping.
        """
        fields = encode(params) if params else {}
        attached = attach(files) if files else None
        return self._persist(
            method,
            fields.get("chat_id"),
            lambda: self._post(method, fields, attached, timeout or TIMEOUT),
        )

    def post(
        self, method: str, params: Mapping[str, Any], heard: Callable[[Sending], None]
    ) -> bool:
        """Make a call whose answer nobody waits for; False when it cannot go out at once.

        `heard` is told how the first try ended, in whatever thread listens to the courier; one
        that has an outcome is gone on with by `resume`, in a thread that may wait.
        """
        courier = self._courier
        if courier is None or not courier.open or self._stop.is_set() or not self._allowed():
            return False
        fields = encode(params)
        body = form(fields)
        turn = self._limits.turn(method, fields.get("chat_id"))
        if turn is not None and not turn.go():
            turn.leave()
            return False
        sending = Sending(method, fields, turn, heard, self._meter.start(method))
        still = self._may_still_go if turn is None else None
        try:
            courier.post(self._token, method, body, partial(self._hear, sending), still=still)
        except BaseException:  # nobody will hear of it, and the chat's next call waits for it
            if turn is not None:
                turn.leave()
            raise
        return True

    def _hear(self, sending: Sending, outcome: Reply | NeverSent | Ambiguous) -> None:
        """Learn how the first try of a call ended."""
        self._meter.end(sending.call, outcome)
        if is_fine(outcome):
            self._retries.answered(None)
            if sending.turn is not None:
                sending.turn.leave()
        else:
            sending.outcome = outcome
        sending.heard(sending)

    def _may_still_go(self) -> bool:
        """Whether a call that nothing held back a moment ago may go now."""
        return not self._stop.is_set() and self._allowed() and not self._limits.pausing

    def resume(self, sending: Sending) -> Any:
        """Go on with a call after its first try; gives and raises what `call` does."""

        def once() -> Any:
            if (reply := sending.take()) is not None:
                return result_of(sending.method, reply)
            return self._post(sending.method, sending.fields, None, TIMEOUT)

        return self._persist(sending.method, sending.fields.get("chat_id"), once, sending)

    def offer(
        self,
        method: str,
        params: Mapping[str, Any],
        begin: Callable[[], object] = lambda: None,
    ) -> Any:
        """Make a call once, if it may go now and nobody waits to go before it; give its result.

        `begin` is called when it is about to go. Raises what `call` does, NeverSent and, for what
        has to be offered again later, Held.
        """
        self._await_leave(None)
        fields = encode(params)
        turn = self._limits.turn(method, fields.get("chat_id"))
        try:
            if turn is not None and not turn.go():
                raise Held(method)
            begin()
            return self._retries.answered(self._post(method, fields, None, TIMEOUT))
        except ApiTelegramException as error:
            if error.error_code != 429:
                raise
            self._hold(fields.get("chat_id"), error)
            raise Held(method) from error
        finally:
            if turn is not None:
                turn.leave()

    def get_updates(
        self,
        offset: int | None = None,
        timeout: int = 25,
        limit: int = 100,
        allowed_updates: list[str] | None = None,
    ) -> list[dict[str, Any]]:
        """Ask for updates once, waiting up to `timeout` seconds for one; nothing is retried.

        Raises NeverSent, Ambiguous, ApiTelegramException and Stopping.
        """
        fields = encode(
            {"offset": offset, "timeout": timeout, "limit": limit}
            | {"allowed_updates": allowed_updates}
        )
        self._await_leave(self._limits.turn("getUpdates"))
        try:
            updates = self._post("getUpdates", fields, None, (TIMEOUT[0], timeout + 10.0))
        except ApiTelegramException as error:
            if error.error_code == 429:
                self._hold(None, error)
            raise
        if not isinstance(updates, list):
            raise Ambiguous("getUpdates was answered without a list")
        return updates

    def download(self, file_path: str) -> bytes:
        """Get the file at the path that getFile told. Raises like `call`."""

        def fetch() -> bytes:
            reply = self._timed("download", self._wire.fetch, file_path, TIMEOUT)
            return reply.body if reply.status == 200 else bytes(result_of("download", reply))

        return self._persist("download", None, fetch)

    def check(self) -> None:
        """Raise Stopping when this process is to do nothing more for the bot."""
        self._await_leave(None)

    @cached_property
    def telebot(self) -> TeleBot:
        """A TeleBot whose calls are made by this client; it knows a placeholder, not the token."""
        return Bot(register(self, self.bot_id), self)

    def _post(self, method: str, fields: Mapping[str, str], *rest: Any) -> Any:
        return result_of(method, self._timed(method, self._wire.exchange, method, fields, *rest))

    def _timed(self, method: str, exchange: Callable[..., Reply], *arguments: Any) -> Reply:
        call = self._meter.start(method)
        try:
            reply = exchange(self._token, *arguments)
        except (NeverSent, Ambiguous) as error:
            self._meter.end(call, error)
            raise
        self._meter.end(call, reply)
        return reply

    def _persist(
        self, method: str, chat: str | None, once: Callable[[], T], begun: Sending | None = None
    ) -> T:
        """Make the call until it has an answer that stands; `begun` has had its leave to go."""
        turn = begun.turn if begun else None
        failures = doubts = 0
        go_on = self._halt()
        try:
            while True:
                if begun is None:
                    turn = turn or self._limits.turn(method, chat)  # a window may be new
                    self._await_leave(turn)
                begun = None
                try:
                    return self._retries.answered(once())
                except NeverSent as error:
                    log.warning("%s is tried again: %s", method, error)
                except (Ambiguous, ApiTelegramException) as error:
                    code = getattr(error, "error_code", 500)
                    if code == 429:
                        turn = turn or self._limits.stand(method, chat)
                        self._hold(chat, error)
                        continue
                    if code < 500:
                        return cast(T, self._refused(error, doubts))
                    doubts += 1
                    self.doubt(method, error, last=doubts >= TRIES)
                failures += 1
                if self._retries.pause(failures, self._random(), self._wait):
                    raise Stopping("the process is stopping")
        finally:
            if turn is not None:
                turn.leave()
            if go_on is not None:
                go_on()

    def _await_leave(self, turn: Turn | None) -> None:
        """Wait until the call may be made. Raises Stopping."""
        if (turn is not None and not turn.wait(self._wait)) or self._stop.is_set():
            raise Stopping("the process is stopping")
        if not self._allowed():
            raise Stopping("another process makes this bot's calls now")

    def _refused(self, error: Exception, doubts: int) -> Any:
        """Raise what Telegram refuses, unless a try without a clear answer has done it already."""
        self._retries.answered(None)
        if doubts and any(map(str(error).count, DONE)):
            return True
        raise error

    def _hold(self, chat: str | None, error: Exception) -> None:
        """Keep everybody out of the window that a 429 opened."""
        seconds = retry_after(error)
        scope = self._limits.refused(chat, seconds)
        self._metrics.api_429(scope).inc()
        log.warning("Telegram asks for a pause of %s s (%s)", seconds, scope)

    def doubt(self, method: str, error: Exception, *, last: bool = False) -> None:
        """Account for a call that may have been carried out; raises its error after the last."""
        if not method.startswith(SAFE):
            self._metrics.sends_ambiguous(method).inc()
            log.warning("%s may have been carried out: %s", method, error)
        if last:
            raise error
