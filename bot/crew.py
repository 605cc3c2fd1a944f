"""The crew: worker threads of which one leads, and who is held up by a handler loses the lead.

The leader runs the lanes and, between updates, listens to the courier; as long as no handler
blocks, one thread does everything and nobody is woken for an update. One of the idle threads looks
out: when the leader is stuck in a handler, it takes the lead.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import TypeVar

from bot.courier import Courier
from bot.lanes import Lanes
from bot.ledger import Ledger

log = logging.getLogger(__name__)

PATIENCE = 0.002
"""Seconds that the leader may be in one handler while something else waits; up to four times as
long once it has got on well for a while."""
LOOKS = 25
"""How much longer it may be busy with our own work, which blocks only when the database does."""
LISTEN_EVERY = 16
"""After so many updates in a row the leader listens, when answers are on their way; with a database
elsewhere, whose answers it hears there too, after a quarter of that: groups wait for each other."""
T = TypeVar("T")


class Crew:
    """Threads that call `work`; `ring` tells them that there is something to do."""

    def __init__(
        self,
        lanes: Lanes,
        ledger: Ledger,
        courier: Courier,
        *,
        stop: threading.Event,
        abandon: threading.Event,
        local: bool = False,
        patience: float = PATIENCE,
    ) -> None:
        """`local`: the database is in this process, and its work is the leader's as well."""
        self.local = local
        self.lanes = lanes
        self.ledger = ledger
        self.courier = courier
        self._stop = stop
        self._abandon = abandon
        self._patience = patience
        self._listen_every = LISTEN_EVERY if local else LISTEN_EVERY // 4
        self._errands: deque[Callable[[], None]] = deque()
        self._leader = 0
        self._steps = self._listened = 0
        self._looks = 1
        """For how many times its patience the lookout bears with the present step."""
        self._asleep = False
        self._guard = threading.Lock()
        """Held to fall asleep and to take the lead: not both at once."""
        self._lookout = threading.Lock()
        """Held by the one thread that looks out."""
        self._alarm = threading.Event()
        """Set while the lookout must watch the leader."""

    def work(self) -> None:
        """Take part until the stop, and until what was begun has ended or is abandoned."""
        while not self.over():
            with self._lookout:
                leads = self._look_out()
            if leads:
                self._lead()
        self.end()

    def over(self) -> bool:
        """Whether nothing is left to do, for good."""
        if not self._stop.is_set():
            return False
        return self._abandon.is_set() or not (self.courier.busy or self._errands)

    def end(self) -> None:
        """Wake whoever sleeps, so that they see the stop."""
        self._alarm.set()
        self.courier.wake()

    def ring(self) -> None:
        """Say that there is something to do; from any thread."""
        if self._asleep:
            self.courier.wake()
        elif not self._alarm.is_set() and threading.get_ident() != self._leader:
            self._alarm.set()

    def send_on(self, errand: Callable[[], None]) -> None:
        """Have a piece of work done that may take its time; before any new update."""
        self._errands.append(errand)
        self.ring()

    def perform(self, work: Callable[[], T]) -> T:
        """Have work done by the leader, and give what it gives: it has the interpreter anyway.

        When the leader does not get to it soon, it is done here.
        """
        if not self.local or not self._leader:
            return work()
        future: Future[T] = Future()

        def errand() -> None:
            if future.set_running_or_notify_cancel():
                self._looks = LOOKS
                try:
                    future.set_result(work())
                except BaseException as error:  # noqa: BLE001 - raised where the work was asked for
                    future.set_exception(error)

        self.send_on(errand)
        with suppress(TimeoutError):
            return future.result(5 * self._patience)
        return work() if future.cancel() else future.result()

    def step(self) -> bool:
        """Do one thing: an errand, an update, or listening; False when there was nothing to do."""
        if self._errands:
            self.courier.let_go()
            self._mind()
            try:
                errand = self._errands.popleft()
            except IndexError:  # a former leader was quicker
                return True
            errand()
            return True
        if self.courier.busy and self._steps - self._listened >= self._listen_every:
            self._listened = self._steps
            self.courier.receive(0)
        if self._stop.is_set() or not self.lanes.ready:
            return False
        if not self.ledger.admit():
            return self._make_room()
        ran = False
        try:
            self._mind()
            self._bundle()
            ran = self.lanes.step()
        finally:
            if not ran:
                self.ledger.dismiss()
        return True

    def _bundle(self) -> None:
        """Let replies leave together while more lanes wait, and somebody sees to it if this blocks.

        Else they leave at once.
        """
        if len(self.lanes.ready) > 1 and self._lookout.locked():
            self.courier.hold()
        else:
            self.courier.let_go()

    def _make_room(self) -> bool:
        """All places are taken: commit what is done, after a moment for answers on their way."""
        if not self.local:
            return self.ledger.help_out()
        if self.courier.busy:
            self.courier.receive(self._patience)
        self._looks = LOOKS
        return self.ledger.help_out()

    def _mind(self) -> None:
        """What begins now may block: have the lookout watch when anything else waits.

        What comes later rings for itself.
        """
        self._looks = 1
        waiting = len(self.lanes.ready) + len(self._errands) > 1 or self.courier.busy
        if waiting and not self._alarm.is_set():
            self._alarm.set()

    def _lead(self) -> None:
        me = threading.get_ident()
        self.courier.let_go()  # the former leader may be stuck
        while self._leader == me:
            try:
                if not self.step():
                    if self.over():
                        break
                    self._sleep(me)
            except MemoryError:
                raise  # it cannot be told what is half done: the next life begins with the inbox
            except Exception:
                log.exception("a lane failed; its updates stay in the inbox")
                self._stop.wait(0.5)
            self._steps += 1
        with self._guard:
            if self._leader == me:
                self._leader = 0
        if self.courier.busy:  # it may have sent something after it lost the lead
            self.ring()

    def _sleep(self, me: int) -> None:
        """Listen until something comes; what came a moment ago is looked for once more.

        Who sleeps keeps the lead: whatever may take its time is done before.
        """
        self.courier.let_go()
        with self._guard:
            if self._leader != me:
                return
            self._asleep = True
        try:
            if not self._is_due():
                self.courier.receive(1.0 if self.courier.busy else None)
        finally:
            self._asleep = False

    def _is_due(self) -> bool:
        waits = self.lanes.ready and self.ledger.has_room() and not self._stop.is_set()
        return bool(waits or self._errands) or self.over()

    def _look_out(self) -> bool:
        """Watch the leader; True when the calling thread leads from now on.

        The longer the leader gets on, the less often it is looked at: each look costs it a moment.
        """
        pause = self._patience
        while not self.over():
            if self._take(self._steps, vacant=True):
                return True
            self._alarm.wait()
            seen, looks = self._steps, 0
            while self._steps == seen and looks < self._looks:
                time.sleep(pause)
                looks += 1
            if self._take(seen):
                return True
            pause = min(2 * pause, 4 * self._patience)
            if self._asleep:
                pause = self._patience
                self._alarm.clear()
                self._alarm_unless_asleep()
        return False

    def _alarm_unless_asleep(self) -> None:
        """It may have woken just now, when the alarm was still set."""
        if not self._asleep:
            self._alarm.set()

    def _take(self, seen: int, *, vacant: bool = False) -> bool:
        """Take the lead when nobody has it, or its holder is still where it was."""
        with self._guard:
            if self._leader and (vacant or self._asleep or self._steps != seen):
                return False
            self._leader = threading.get_ident()
            return True
