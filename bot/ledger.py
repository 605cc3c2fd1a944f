"""The ledger: done marks, counters, events and conversations of many updates in one commit."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeAlias

from bot import codec, marks, stroke
from bot.conversations import Change, write
from bot.inbox import Item
from bot.lease import Fenced, Lease
from database import current, db, now
from outages import is_outage, is_refusal
from services import failures, messages
from services.messages import Received

log = logging.getLogger(__name__)


class Settled(Exception):
    """An atomic handler ran again although its commit had come through before an outage."""


Event: TypeAlias = tuple[str, int | None, dict[str, Any]]
"""Type, user's row id, data."""


@dataclass(slots=True)
class Entry:
    """What one finished update leaves behind."""

    item: Item
    state: str = "done"
    payload: str | None = None
    """Kept in the inbox: for `replying` the calls still to send, for `unknown` the update."""
    counted: bool = False
    """Whether the update is a message that counts for its user."""
    events: list[Event] = field(default_factory=list)
    letters: Sequence[Received] = ()
    """What the team is to read."""
    change: Change | None = None
    failure: dict[str, Any] | None = None


class Carrier(Protocol):
    """What sends a group and hears later what came of it: bot/relay.py."""

    @property
    def busy(self) -> bool:
        """Whether a group is on its way."""

    def post(self) -> bool:
        """Send what waits; False when it must go another way."""

    def keep(self) -> bool:
        """Whether a group is still on its way."""

    def finish(self) -> None:
        """Wait for what is on its way."""


class Ledger:
    """Commits entries in groups: every `period` seconds, or sooner when `batch` are waiting.

    With a `local` database whoever runs out of places commits at once (`help_out`).

    At most `slots` updates are begun and not committed at any time, so that a crash repeats at
    most as many handlers.
    """

    def __init__(
        self,
        leases: dict[int, Lease],
        *,
        slots: int,
        committed: Callable[[Sequence[Item]], None],
        period: float = 0.05,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self.leases = leases
        self._local = current().local
        self.batch = max(1, min(100, slots if self._local else slots // 2))
        self.period = period
        self.clock = clock
        self._committed = committed
        self._places = [None] * slots
        """As many as are free; like what waits, changed by single operations of a list alone."""
        self._waiting: list[Entry] = []
        self._bell = threading.Event()
        self._committing = threading.Lock()
        self._troubled = False
        self.relay: Carrier | None = None
        """Sends groups without a thread that waits; with PostgreSQL."""

    def admit(self) -> bool:
        """Take a place for one more update; False when all are taken."""
        if not self._places:
            return False
        try:
            self._places.pop()
        except IndexError:  # another thread was quicker
            return False
        return True

    def has_room(self) -> bool:
        """Whether one more update may begin."""
        return bool(self._places)

    def dismiss(self, count: int = 1) -> None:
        """Give back the place of an update that was begun and will not be finished here."""
        self._places.extend([None] * count)

    def drop(self, item: Item) -> None:
        """Give back the place of an update that turned out to be committed already."""
        self.dismiss()
        self._committed([item])

    def add(self, entry: Entry) -> None:
        """Put a finished update into the next group."""
        self._waiting.append(entry)
        full = len(self._waiting) >= self.batch
        if full and not (self.relay and (self.relay.busy or self.relay.post())):
            self._bell.set()

    def step(self) -> int:
        """Wait for the period or the bell, commit what is there; give the number of entries.

        Raises Fenced when a lease was lost, and what the database raises in an outage; the
        entries then stay for the next step.
        """
        self._bell.wait(self.period)
        if self.relay and self.relay.keep():
            self._bell.clear()
            return 0
        return self.flush()

    def flush(self) -> int:
        """Commit what is there now; raises as `step`."""
        self._take_over()
        try:
            self._bell.clear()
            count = self._flush()
            self._troubled = False
            return count
        finally:
            self._committing.release()

    def _take_over(self) -> None:
        """Wait until no commit goes on; a group may go out at any moment, and get no answer."""
        while True:
            if self.relay:
                self.relay.finish()
            if self._committing.acquire(timeout=self.period):
                return

    def help_out(self) -> bool:
        """Commit what is there, for a caller who has nothing better to do; whether there was any.

        What goes wrong is left to the ledger's own thread, which knows how to wait and whom to
        tell.
        """
        if not self._local:
            return self.relay is not None and self.relay.post()
        if self._troubled or not self._waiting:
            return False
        if not self._committing.acquire(blocking=False):
            return False
        try:
            return self._flush() > 0
        except MemoryError:
            raise  # as in `run`
        except Exception:  # noqa: BLE001 - it happens again at once in the ledger's own thread
            self._troubled = True
            self._bell.set()
            return False
        finally:
            self._committing.release()

    def begin(self) -> list[Entry]:
        """Take what waits for a commit of the caller's; none when another commit goes on.

        What it gives must be handed to `end`.
        """
        if self._troubled or not self._waiting or not self._committing.acquire(blocking=False):
            return []
        if not (entries := self._take()):
            self._committing.release()
        return entries

    def end(
        self, entries: Sequence[Entry], *, done: bool, go_on: Callable[[], object] = int
    ) -> None:
        """Take note of a commit that was begun; what is not done is the ledger's own to do.

        After one that is done `go_on` may begin the next, before what hangs on this one is seen to.
        """
        if not done:
            self._troubled = True
            self._waiting[:0] = entries
            self._committing.release()
            self._bell.set()
            return
        self._committing.release()
        self.dismiss(len(entries))
        go_on()
        self._committed([entry.item for entry in entries])

    def presses(self) -> bool:
        """Whether what waits should be committed at once."""
        return len(self._waiting) >= self.batch or not self.has_room()

    def _take(self) -> list[Entry]:
        """What waits; called by whoever commits, and there is one at a time."""
        entries = self._waiting[:]
        del self._waiting[: len(entries)]  # what came meanwhile is behind it
        return entries

    def _flush(self) -> int:
        if not (entries := self._take()):
            return 0
        groups: dict[int, list[Entry]] = {}
        for entry in entries:
            groups.setdefault(entry.item.bot_id, []).append(entry)
        trouble: Exception | None = None
        for group in groups.values():  # the lease of one bot is not that of another
            try:
                self.commit_group(group)
            except Exception as error:  # noqa: BLE001 - raised when the other bots had their turn
                self._waiting[:0] = group
                trouble = trouble or error
                continue
            self.dismiss(len(group))
            self._committed([entry.item for entry in group])
        if trouble:
            raise trouble
        return len(entries)

    def run(self, stop: threading.Event, lost: Callable[[], None]) -> None:
        """Commit groups until `stop`; calls `lost` once when another process took over."""
        while not stop.is_set():
            try:
                self.step()
            except Fenced:
                return lost()
            except MemoryError:
                raise  # it cannot be told what is half done: the next life begins with the tables
            except Exception as error:
                if is_outage(error):
                    log.warning("the database is away, the ledger waits: %s", error)
                else:  # without this thread nothing more would begin, and nobody would know
                    log.exception("the ledger failed and tries again")
                db.close()
                stop.wait(0.5)

    def commit(self, entries: Sequence[Entry]) -> int:
        """Write entries in the caller's transaction; give the number of rows that were open.

        Raises Fenced, and then nothing of it may be kept.
        """
        at = self.clock()
        for bot_id in sorted({entry.item.bot_id for entry in entries}):
            if lease := self.leases.get(bot_id):
                lease.check()
        done = marks.mark([entry for entry in entries if entry.item.state == "new"], at)
        replied = marks.mark([entry for entry in entries if entry.item.state != "new"], at)
        marks.count(done, at)
        marks.track(done, at)
        messages.receive([letter for entry in done for letter in entry.letters], at)
        write([entry.change for entry in done if entry.change], at)
        for entry in [*done, *replied]:
            if entry.failure:
                failures.record(**entry.failure)
        return len(done)

    def commit_group(self, entries: Sequence[Entry]) -> None:
        """Commit together; when one entry is refused, each alone, and that one without extras."""
        lease = self.leases.get(entries[0].item.bot_id)
        try:
            if lease and db.param == "%s" and all(map(stroke.is_plain, entries)):
                return stroke.commit(lease, entries, self.clock())
            with current().atomic():
                self.commit(entries)
        except Fenced:
            raise
        except marks.Partly:
            for entry in entries:
                self.commit_group([entry])
        except Exception as error:
            if is_outage(error) or not is_refusal(error):
                raise  # it may pass, and the group is committed whole
            log.exception("a group of %s done marks was refused", len(entries))
            if len(entries) > 1:
                for entry in entries:
                    self.commit_group([entry])
            else:
                item, kept = entries[0].item, entries[0].payload
                if entries[0].failure:
                    kept = codec.dumps(item.update)
                with db.atomic():
                    self.commit([Entry(item, entries[0].state, kept)])
