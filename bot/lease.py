"""The lease: of all processes that share a database, one polls a bot; the others stand by."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

from database import db, now


class Fenced(Exception):
    """Another process took the lease over: this one must do nothing more for the bot."""


class Lease:
    """A row that its holder beats, and that a standby takes when the beats stop.

    No wall clock decides: a standby watches the count of beats by its own monotonic clock, so a
    clock that is stepped frees nothing. Every take-over raises `fence`; what the holder commits
    is checked against it, so a process that slept through its lease changes nothing.
    """

    def __init__(
        self,
        name: str,
        *,
        owner: str | None = None,
        clock: Callable[[], float] = time.monotonic,
        held_for: float = 6.0,
        taken_after: float = 8.0,
        dead: Callable[[str], bool] | None = None,
    ) -> None:
        self.name = name
        self.owner = owner or identity()
        self.fence = 0
        self._clock = clock
        self._held_for = held_for
        self._taken_after = taken_after
        self._dead = dead or is_dead
        self._good_until = float("-inf")
        self._seen: tuple[str | None, int, int] | None = None
        self._seen_at = 0.0

    def valid(self) -> bool:
        """Whether this process may act for the bot now, by its own clock."""
        return self._clock() < self._good_until

    def step(self) -> bool:
        """Beat the lease if held, else take it if it is free or its holder is gone.

        Raises Fenced when it was held and another process has it now.
        """
        started = self._clock()
        if self.fence:
            if not self._beat():
                self._good_until = float("-inf")
                raise Fenced(self.name)
        elif not self._take():
            return False
        self._good_until = started + self._held_for
        return True

    def check(self) -> None:
        """Make the caller's transaction fail with Fenced unless the lease is still held.

        PostgreSQL ends the transaction, and gives its locks back, when nothing comes of it for as
        long as a standby waits: a process that sleeps in it keeps nobody from taking over.
        """
        if db.execute_sql(*self.proof()).fetchone() is None:
            raise Fenced(self.name)

    def proof(self) -> tuple[str, tuple[str | int, ...]]:
        """A query with its values that has a row while the lease is held, and locks it."""
        sql = f"SELECT {self._limit()} FROM leases WHERE name = ? AND owner = ? AND fence = ?"
        return _sql(sql) + _lock(), (self.name, self.owner, self.fence)

    def release(self, *, heir: bool = False) -> None:
        """Give the lease back, so that a standby need not wait.

        `heir`: keep it for what this process becomes, which takes it at once.
        """
        if self.fence and not (heir and _is_known(self.owner)):
            db.execute_sql(
                _sql("UPDATE leases SET owner = '' WHERE name = ? AND owner = ? AND fence = ?"),
                (self.name, self.owner, self.fence),
            )
        self.fence = 0
        self._good_until = float("-inf")

    def _limit(self) -> str:
        """What bounds the caller's transaction, where a stopped process would keep locks."""
        if db.param != "%s":
            return "1"
        milliseconds = int(self._taken_after * 1000)
        return f"set_config('idle_in_transaction_session_timeout', '{milliseconds}', true)"

    def _beat(self) -> bool:
        return bool(
            db.execute_sql(
                _sql(
                    "UPDATE leases SET beats = beats + 1, updated_at = ?"
                    " WHERE name = ? AND owner = ? AND fence = ?"
                ),
                (now(), self.name, self.owner, self.fence),
            ).rowcount
        )

    def _take(self) -> bool:
        owner, fence, beats = self._read()
        if (owner, fence, beats) != self._seen:
            self._seen, self._seen_at = (owner, fence, beats), self._clock()
        silent = self._clock() - self._seen_at >= self._taken_after
        inherited = owner == self.owner and _is_known(owner)
        if owner and not inherited and not silent and not self._dead(owner):
            return False
        taken = db.execute_sql(
            _sql(
                "UPDATE leases SET owner = ?, fence = fence + 1, beats = 0, updated_at = ?"
                " WHERE name = ? AND fence = ? AND beats = ? AND owner = ?"
            ),
            (self.owner, now(), self.name, fence, beats, owner),
        ).rowcount
        self.fence = fence + 1 if taken else 0
        return bool(taken)

    def _read(self) -> tuple[str, int, int]:
        db.execute_sql(
            _sql(
                "INSERT INTO leases (name, owner, fence, beats, updated_at)"
                " VALUES (?, '', 0, 0, ?) ON CONFLICT (name) DO NOTHING"
            ),
            (self.name, now()),
        )
        row: tuple[str, int, int] = db.execute_sql(
            _sql("SELECT owner, fence, beats FROM leases WHERE name = ?"), (self.name,)
        ).fetchone()
        return row


def identity() -> str:
    """Who this process is: its host, and where the kernel tells it, the very start of its pid.

    The boot, the pid namespace and the start time make it safe to say from the same host that
    the process is gone.
    """
    return f"{socket.gethostname()}/{_namespace()}/{os.getpid()}/{_started(os.getpid())}"


def is_dead(owner: str) -> bool:
    """Whether an owner is certainly gone: same host, boot and pid namespace, and no such process.

    False where that cannot be told; then the beats decide.
    """
    pid, started = pid_of(owner), owner.rpartition("/")[2]
    return bool(pid and started and _started(pid) != started)


def pid_of(owner: str) -> int:
    """The pid of an owner on this host, in this boot and pid namespace; 0 for one elsewhere."""
    host, namespace, pid, _ = (owner.split("/") + [""] * 4)[:4]
    here = namespace and host == socket.gethostname() and namespace == _namespace()
    return int(pid) if here and pid.isdigit() else 0


def _is_known(owner: str) -> bool:
    """Whether an owner is told from every other process: by the very start of its pid."""
    return bool(owner.rpartition("/")[2])


def _namespace() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}+{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _started(pid: int) -> str:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]


def _sql(text: str) -> str:
    return text.replace("?", db.param)


def _lock() -> str:
    """Keep the row that is read from changing until the commit.

    The fence is part of a key, so a take-over waits and a beat does not. SQLite needs no lock: its
    write transactions begin IMMEDIATE.
    """
    return " FOR KEY SHARE" if db.param == "%s" else ""
