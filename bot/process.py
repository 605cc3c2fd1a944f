"""The bot process: starts the threads of the core, beats the leases, and stops in time."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from bot.core import Core, Seat
from bot.lease import Fenced
from bot.polling import refusal
from database import db
from outages import is_outage

log = logging.getLogger(__name__)

GRACE = 15.0
"""Seconds that running handlers get after a SIGTERM; the rest stays in the inbox."""
SILENCE = 90.0
"""Seconds without a successful getUpdates after which the process gives up its place."""
BEAT = 1.0
STARTS_AGAIN = "the process ends so that its supervisor starts it again"
POLLED = 0.25
"""Seconds in which a poll may end by itself before a process that begins anew cuts it."""


class Process:
    """Runs a core until a signal, a fatal refusal, or a lease that was lost."""

    def __init__(
        self,
        core: Core,
        *,
        chores: Sequence[Callable[[float], None]],
        clock: Callable[[], float] = time.monotonic,
        silence: float = SILENCE,
    ) -> None:
        self.core = core
        self.stop = core.parts.stop
        self.code = 0
        self.again = False
        """Whether the process is to begin anew: a reload, or a lease that was lost."""
        self.reload_wanted = False
        """Set by SIGHUP; whoever sees to it clears it."""
        self.chores = list(chores)
        self._clock = clock
        self._silence = silence
        self._since = clock()
        self._asked = False
        self._failed = False
        """Whether one of its own threads failed: that may be an update's fault."""
        self._over = threading.Event()
        """Set when the leases are not needed any more: handlers that still run need them."""
        self._workers: list[threading.Thread] = []
        self._pollers: list[threading.Thread] = []
        self._on_terminal = os.isatty(0)
        core.parts.metrics.poller_leader.set_function(core.leads)
        core.parts.metrics.poll_last_success.set_function(core.last_poll)

    def run(self) -> int:
        """Start everything, wait for the end, stop; give the exit code."""
        self._on_signals()
        for number in range(self.core.parts.settings.threads):
            self._workers.append(self._start(f"lane-{number}", self.core.crew.work))
        ledger = self._start("ledger", self.core.ledger.run, self.stop, self.lose)
        self._start("beat", self._beat)
        for chore in self.chores:
            self._start("chore", self._repeat, chore)
        self._see_through("watch", self._keep_watch)
        self._finish(ledger)
        log.info("the bot has stopped")
        return self.code

    def end(self, code: int, sentence: str) -> None:
        """Say why the process ends, and make it end."""
        log.critical(sentence)
        self.code = code
        self.stop.set()

    def lose(self) -> None:
        """Another process took over: change nothing more, and begin anew as a standby."""
        if not self.stop.is_set():
            log.error("another process took this bot over; this one stands by")
            self.again = True
            self.stop.set()

    def restart(self) -> None:
        """End cleanly and begin anew with the plugins as they are now."""
        self.again = True
        self.stop.set()

    def watch(self) -> None:
        """End the process when Telegram has not answered a poll for too long.

        Who must not poll is not told off for it: a process that slept wakes up as a standby.
        """
        for seat in self.core.seats:
            if not seat.led or seat.refused or not seat.lease.valid():
                continue
            silent = self._clock() - max(seat.poller.last_success, self._since)
            if silent > self._silence:
                self.end(
                    1,
                    f"no successful getUpdates for {silent:.0f} s: check the network and"
                    f" TELEGRAM_API_URL; {STARTS_AGAIN}",
                )

    def beat(self) -> None:
        """Renew or try every lease once, and start the poller of a bot whose lease was taken."""
        for seat in self.core.seats:
            ending = self.stop.is_set() and not seat.led  # then nothing more is taken
            if not seat.refused and not ending and seat.lease.step() and not seat.led:
                self.core.lead(seat)
                self._since = self._clock()
                refused = partial(self._refused, seat)
                name = f"poll-{seat.bot_id}"
                self._pollers.append(self._start(name, seat.poller.run, self.stop, refused))

    def _refused(self, seat: Seat, error: Exception) -> None:
        """One bot is at its end; the process goes on while it has another one."""
        code, sentence = refusal(error, seat.bot_id)
        seat.refused = True
        if all(other.refused for other in self.core.seats) or code != 2:
            return self.end(code, sentence)
        log.critical(sentence)
        return None

    def _keep_watch(self) -> None:
        while not self.stop.wait(0.5):
            self.watch()

    def _beat(self) -> None:
        while not self._over.is_set():
            try:
                self.beat()
            except Fenced:
                return self.lose()
            except Exception as error:  # noqa: BLE001 - the boundary of this thread
                self._away("the lease", error)
            self._over.wait(BEAT)

    def _repeat(self, chore: Callable[[float], None]) -> None:
        while not self.stop.wait(BEAT):
            try:
                chore(self._clock())
            except Exception as error:  # noqa: BLE001 - the boundary of this thread
                self._away("housekeeping", error)

    def _away(self, what: str, error: Exception) -> None:
        """A database that is away is waited for; anything else is a bug that must be seen."""
        if is_outage(error):
            log.warning("%s waits for the database: %s", what, error)
        else:
            log.error("%s failed and is tried again", what, exc_info=error)
        db.close()

    def _start(self, name: str, target: Callable[..., None], *args: Any) -> threading.Thread:
        thread = threading.Thread(
            target=self._see_through, args=[name, target, *args], name=name, daemon=True
        )
        thread.start()
        return thread

    def _see_through(self, name: str, target: Callable[..., None], *args: Any) -> None:
        """Do what a thread is for; without it the process would stay up and do half its work."""
        try:
            target(*args)
        except BaseException as error:
            self._failed = True
            self.code = self.code if self.stop.is_set() else 1
            self.stop.set()  # before what takes memory: when none is left, telling fails as well
            with suppress(MemoryError):
                said = f"the thread {name} failed with {type(error).__name__}; {STARTS_AGAIN}"
                log.critical(said, exc_info=error)

    def _on_signals(self) -> None:
        def ask(number: int, _frame: object) -> None:
            if self._asked:
                os._exit(128 + number)
            self._asked, self.again = True, False
            self.stop.set()

        def reload(number: int, frame: object) -> None:
            if self._on_terminal and not os.isatty(0):  # it was closed
                return ask(number, frame)
            self.reload_wanted = True

        signal.signal(signal.SIGTERM, ask)
        signal.signal(signal.SIGINT, ask)
        signal.signal(signal.SIGHUP, reload)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})

    def _finish(self, ledger: threading.Thread) -> None:
        """Let running handlers end, commit what is done, and give the leases up."""
        begun = self._clock()
        self.core.crew.end()
        for worker in self._workers:
            worker.join(max(0.0, begun + GRACE - self._clock()))
        for poller in self._pollers if self.again else ():  # a poll that is cut is ended by a 409
            poller.join(max(0.0, begun + POLLED - self._clock()))
        self.core.parts.abandon.set()
        self.core.crew.end()
        ledger.join(2.0)
        self._over.set()
        try:
            self._start("last", self._hand_over).join(2.5)
        except (RuntimeError, MemoryError):  # no thread can be started any more
            self._hand_over()

    def _hand_over(self) -> None:
        """The last writes; who does not get to write in time leaves them to the next start.

        What was running when a thread failed stays under suspicion, as after a crash.
        """
        self._try(self.core.ledger.flush)
        for seat in self.core.seats:  # one bot's lost lease is not the others'
            self._try(partial(self._leave, seat))

    def _leave(self, seat: Seat) -> None:
        if seat.led:
            with db.atomic():
                seat.lease.check()
                if not self._failed:
                    self.core.inbox.exonerate(seat.bot_id)
        seat.lease.release(heir=self.again)

    def _try(self, last: Callable[[], object]) -> None:
        try:
            last()
        except Exception as error:  # noqa: BLE001 - nothing is lost: the inbox has it
            log.warning("the last commit was left to the next start: %s", type(error).__name__)


def begin_again() -> None:
    """Replace this process by a fresh one with the same arguments and the same pid.

    A SIGHUP waits until the fresh one can see to it, instead of ending it.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
