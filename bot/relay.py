"""The relay: one group of done marks on its way to PostgreSQL while the leader goes on.

A thread that waits for each group costs hand-overs of the interpreter. The leader listens to the
courier's connections anyway, so it hears the database there as well. Whatever is not a clean
answer is left to the ledger's own thread, which knows how to wait and whom to tell.
"""

from __future__ import annotations

import logging
import os
import select
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import psycopg2
from psycopg2.extensions import POLL_OK, POLL_READ, POLL_WRITE

from bot import stroke
from bot.courier import Courier
from bot.ledger import Entry, Ledger
from outages import is_outage

log = logging.getLogger(__name__)

PATIENCE = 5.0
"""Seconds until a group without an answer is given up, and committed the ordinary way."""
REST = 10.0
"""Seconds without a relay after a connection that could not be made."""
PLANNED_EVERY = 1.0
"""Seconds for which a plan is good; a third of a group's time went into planning each."""


class Relay:
    """Carries the ledger's groups of plain entries, one at a time, over a connection of its own.

    `connect` begins an asynchronous connection of psycopg2.
    """

    def __init__(
        self,
        ledger: Ledger,
        courier: Courier,
        connect: Callable[[], Any],
        *,
        patience: float = PATIENCE,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._ledger = ledger
        self._courier = courier
        self._connect = connect
        self._patience = patience
        self._clock = clock
        self._sleep = sleep
        self._connection: Any = None
        self._cursor: Any = None
        self._ear = -1
        """The connection's socket once more: psycopg2 closes its own without a word."""
        self._group: Sequence[Entry] = ()
        self._due = 0.0
        self._planned = float("-inf")
        """When the statement was last planned: tables grow."""
        self._rests_until = float("-inf")
        self._lock = threading.Lock()

    @property
    def busy(self) -> bool:
        """Whether a group is on its way."""
        return bool(self._group)

    @property
    def open(self) -> bool:
        """Whether it has a connection."""
        return self._cursor is not None

    def post(self) -> bool:
        """Send what waits, without waiting for the answer; False when it must go another way."""
        if self._group or not self.open or not (group := self._ledger.begin()):
            return False
        with self._lock:
            if sent := self.open and self._send(group):
                self._due = self._clock() + self._patience
                self._group = group
        if not sent:
            self._ledger.end(group, done=False)
        return sent

    def hear(self) -> None:
        """Take the answer when it is there; whoever listens to the courier calls this."""
        with self._lock:
            done = self._answer()
            if done is None:
                return
            group, self._group = self._group, ()
        if group:
            self._ledger.end(group, done=done, go_on=self._go_on)

    def _go_on(self) -> None:
        """Send the next group if it is due: until then the database has nothing to do."""
        if self._ledger.presses():
            self.post()

    def keep(self) -> bool:
        """Whether a group is still on its way; otherwise see to the connection, which may wait."""
        if self._group:
            if self._clock() < self._due:
                self.hear()  # and write on: nobody is told when a full socket takes more
                return bool(self._group)
            with self._lock:
                group, self._group = self._group, ()
                self._part()
            if group:
                log.warning("the database gave no answer to a group, it is sent again")
                self._ledger.end(group, done=False)
        if not self.open and self._clock() >= self._rests_until:
            self._open()
        return False

    def finish(self) -> None:
        """Wait for the answer to what is on its way; for a thread that may wait."""
        while self._group and self.keep():
            self._sleep(0.002)

    def _answer(self) -> bool | None:
        """Whether the group is committed; None while there is no telling."""
        if self._connection is None:
            return None
        if not self._group:
            self._look()
            return None
        try:
            if self._connection.poll() != POLL_OK:
                return None
            return bool(self._cursor.fetchone()[0])
        except psycopg2.Error as error:
            log.info("the relay lost its group: %s", type(error).__name__)
            lost = isinstance(error, psycopg2.errors.InvalidSqlStatementName)
            if lost:  # a pool between us and the server gives each group another connection
                self._rests_until = self._clock() + REST
            if lost or self._connection.closed or is_outage(error):
                self._part()  # a connection that was made while no writes were taken stays so
            return False

    def _look(self) -> None:
        """What comes unasked is the connection's end, which psycopg2 does not notice."""
        if _wait(self._ear, select.POLLIN, 0.0):
            self._part()

    def _send(self, group: Sequence[Entry]) -> bool:
        """Begin the statement of a group; False for one that is none, or has none."""
        lease = self._ledger.leases.get(group[0].item.bot_id)
        if lease is None or not _fits(group):
            return False
        try:
            anew = (at := self._clock()) >= self._planned + PLANNED_EVERY
            self._cursor.execute(*stroke.call(lease, group, self._ledger.clock(), anew=anew))
            self._planned = at if anew else self._planned
        except psycopg2.Error as error:
            log.info("the relay could not send: %s", type(error).__name__)
            self._part()
            return False
        except Exception as error:  # noqa: BLE001 - a value that no statement takes is told there
            log.info("a group goes the ordinary way: %s", type(error).__name__)
            return False
        return True

    def _open(self) -> None:
        """Connect and listen; who cannot is done without for a while."""
        connection = None
        lease = next(iter(self._ledger.leases.values()))  # those of one process read alike
        try:
            connection = self._connect()
            _settle(connection)
            cursor = connection.cursor()
            for sql in (DURABLE, *stroke.prepare(lease)):
                cursor.execute(sql)
                _settle(connection)
            self._ear = os.dup(connection.fileno())
            self._courier.watch(self._ear, self.hear)
            self._connection, self._cursor = connection, cursor
        except (psycopg2.Error, OSError, TimeoutError) as error:
            log.info("no relay for now: %s", type(error).__name__)
            self._rests_until = self._clock() + REST
            if connection is not None:
                connection.close()

    def _part(self) -> None:
        connection, self._connection, self._cursor = self._connection, None, None
        if connection is not None:
            self._courier.ignore(self._ear)
            os.close(self._ear)
            connection.close()


DURABLE = (
    "SELECT set_config('synchronous_commit', 'on', false)"
    " WHERE current_setting('synchronous_commit') = 'off'"
)


POLLS = {POLL_READ: select.POLLIN, POLL_WRITE: select.POLLOUT}


def _fits(group: Sequence[Entry]) -> bool:
    bot_id = group[0].item.bot_id
    return all(entry.item.bot_id == bot_id and stroke.is_plain(entry) for entry in group)


def _settle(connection: Any, seconds: float = PATIENCE) -> None:
    """Wait until a connection has done what it is at. Raises TimeoutError."""
    until = time.monotonic() + seconds
    while (state := connection.poll()) != POLL_OK:
        if time.monotonic() > until:
            raise TimeoutError("the database does not answer")
        _wait(connection.fileno(), POLLS[state], 0.5)


def _wait(file: int, wanted: int, seconds: float) -> bool:
    """Wait until an open file can be read or written, however high its number; whether it can."""
    poll = select.poll()
    poll.register(file, wanted)
    return bool(poll.poll(seconds * 1000))
