"""The client: every call to Telegram, with its limits, its retries and its count."""

from __future__ import annotations

import copy
import itertools
import logging
import threading
import time
from collections.abc import Callable, Mapping
from functools import cached_property
from random import random as chance
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakValueDictionary

from telebot import TeleBot, apihelper
from telebot.apihelper import ApiTelegramException
from telebot.storage import StateMemoryStorage

from bot.answer import Answer, result_of, retry_after
from bot.form import attach, encode
from bot.wire import Ambiguous, NeverSent, Reply

if TYPE_CHECKING:
    from bot.limits import Limits, Turn
    from bot.metrics import Metrics
    from bot.wire import Wire
    from settings import Secret

__all__ = ["Ambiguous", "ApiTelegramException", "Client", "NeverSent", "Outbox", "Stopping"]

log = logging.getLogger(__name__)
logging.getLogger("TeleBot").handlers.clear()  # telebot writes to stderr past our filters

TIMEOUT = (10.0, 30.0)
"""Seconds to connect, and to read the answer."""

TRIES = 5
"""How often a call is made whose fate is not known, before its error is raised."""

SAFE = (
    *("get", "set", "delete", "edit", "answer", "pin", "unpin"),
    *("ban", "unban", "restrict", "promote", "sendChatAction", "download"),
)
"""How the names of the methods begin that may be carried out twice without harm."""

LISTS = {"sendMediaGroup", "copyMessages", "forwardMessages"}
"""Methods whose result is a list."""

T = TypeVar("T")


class Stopping(Exception):
    """The call is given up: the process is stopping, or it is no longer the one to make calls."""


class Client:
    """Calls Telegram for one bot.

    A call that never left is made again until it gets through. One that may have been carried out
    is made again a few times; when that could double a message it is counted and logged. A call
    that was refused for coming too fast waits as long as Telegram says. What Telegram refuses for
    good is raised as ApiTelegramException.

    `stop` gives up waiting calls: set it when running handlers are to be abandoned, not when they
    may finish. `allowed` says whether this process may make calls. `wait(seconds)` waits and says
    whether to give up; by default it waits for `stop`.
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
    ) -> None:
        self.bot_id = bot_id
        self._token = token
        self._wire = wire
        self._limits = limits
        self._metrics = metrics
        self._clock = clock
        self._stop = stop or threading.Event()
        self._wait = wait or self._stop.wait
        self._allowed = allowed
        self._random = random

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
        return Bot(_register(self, self.bot_id), self)

    def _post(self, method: str, fields: Mapping[str, str], *rest: Any) -> Any:
        return result_of(method, self._timed(method, self._wire.exchange, method, fields, *rest))

    def _timed(self, method: str, exchange: Callable[..., Reply], *arguments: Any) -> Reply:
        started = self._clock()
        try:
            reply = exchange(self._token, *arguments)
        except (NeverSent, Ambiguous) as error:
            code = "never_sent" if isinstance(error, NeverSent) else "ambiguous"
            self._metrics.api(method, code, self._clock() - started)
            raise
        self._metrics.api(method, str(reply.status), self._clock() - started)
        return reply

    def _persist(self, method: str, chat: str | None, once: Callable[[], T]) -> T:
        """Make the call until it has an answer that stands."""
        turn = self._limits.turn(method, chat)
        failures = doubts = 0
        try:
            while True:
                self._await_leave(turn)
                try:
                    return once()
                except NeverSent as error:
                    log.warning("%s is tried again: %s", method, error)
                except (Ambiguous, ApiTelegramException) as error:
                    code = getattr(error, "error_code", 500)
                    if code == 429:
                        turn = turn or self._limits.stand(method, chat)
                        self._hold(chat, error)
                        continue
                    if code < 500:
                        raise
                    doubts += 1
                    self._doubt(method, doubts, error)
                failures += 1
                self._back_off(failures)
        finally:
            if turn is not None:
                turn.leave()

    def _await_leave(self, turn: Turn | None) -> None:
        """Wait until the call may be made. Raises Stopping."""
        if (turn is not None and not turn.wait(self._wait)) or self._stop.is_set():
            raise Stopping("the process is stopping")
        if not self._allowed():
            raise Stopping("another process makes this bot's calls now")

    def _hold(self, chat: str | None, error: Exception) -> None:
        """Keep everybody out of the window that a 429 opened."""
        seconds = retry_after(error)
        scope = self._limits.refused(chat, seconds)
        self._metrics.api_429(scope).inc()
        log.warning("Telegram asks for a pause of %s s (%s)", seconds, scope)

    def _doubt(self, method: str, doubts: int, error: Exception) -> None:
        """Account for a call that may have been carried out; raises its error after the last."""
        if not method.startswith(SAFE):
            self._metrics.sends_ambiguous(method).inc()
            log.warning("%s may have been carried out: %s", method, error)
        if doubts >= TRIES:
            raise error

    def _back_off(self, failures: int) -> None:
        seconds = min(30.0, 0.2 * 2.0 ** min(failures - 1, 10)) * (0.5 + 0.5 * self._random())
        if self._wait(seconds):
            raise Stopping("the process is stopping")


class Outbox:
    """Takes the calls of an atomic handler instead of making them, to be made after the commit.

    Methods that only ask (get...) are refused.
    """

    def __init__(self, client: Client) -> None:
        self.bot_id = client.bot_id
        self.calls: list[list[Any]] = []
        """Every call as [method, fields], fit for JSON and for `Client.call`."""
        self._client = client

    def call(
        self,
        method: str,
        params: Mapping[str, Any] | None = None,
        files: Mapping[str, Any] | None = None,
        *,
        timeout: tuple[float, float] | None = None,  # noqa: ARG002 - as Client has it
    ) -> Any:
        """Record the call; its result is not known yet.

        Raises ValueError for files and for methods that only ask: the answer would be waited for
        inside the transaction, which on SQLite keeps everybody from writing.
        """
        if method.startswith("get"):
            raise ValueError(
                f"an atomic handler cannot call {method} and wait for the answer: call it in a"
                " handler or step before, or leave out atomic=True"
            )
        if files:
            raise ValueError(
                "an atomic handler cannot upload files: send a file_id or a URL, or leave out"
                " atomic=True"
            )
        self.calls.append([method, encode(params or {})])
        return [] if method in LISTS else None

    @cached_property
    def telebot(self) -> TeleBot:
        """A TeleBot whose calls are recorded here; it lives no longer than this object."""
        bot = copy.copy(self._client.telebot)
        bot.token = _register(self, self.bot_id)
        return bot


class Bot(TeleBot):
    """A TeleBot that holds no token and opens no connection."""

    def __init__(self, placeholder: str, client: Client) -> None:
        super().__init__(placeholder, threaded=False, state_storage=StateMemoryStorage())
        self.client = client

    def download_file(self, file_path: str) -> bytes:
        """Get a file; telebot's own way goes round the request sender."""
        return self.client.download(file_path)


_senders: WeakValueDictionary[str, Client | Outbox] = WeakValueDictionary()
_numbers = itertools.count(1)


def _register(sender: Client | Outbox, bot_id: int) -> str:
    """Give the placeholder that stands for the token in telebot, and route it to `sender`."""
    placeholder = f"{bot_id}:placeholder-{next(_numbers)}"
    _senders[placeholder] = sender
    apihelper.CUSTOM_REQUEST_SENDER = _send  # type: ignore[assignment]
    return placeholder


def _send(_verb: str, url: str, **request: Any) -> Answer:
    """Carry a request of telebot to the sender that its placeholder names."""
    base, _, method = url.rpartition("/")
    sender = _senders.get(base.rpartition("/bot")[2])
    if sender is None:
        raise LookupError(
            "this TeleBot belongs to no running client: use the bot that the handler was given"
        )
    params, files = request.get("params"), request.get("files")
    result = sender.call(method, params, files, timeout=request.get("timeout"))
    return Answer(200, {"ok": True, "result": result})
