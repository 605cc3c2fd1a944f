"""The poller: fetches updates, puts them into the inbox, and only then asks for the next ones."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Protocol

from bot.answer import retry_after
from bot.client import Ambiguous, Client, NeverSent, Stopping
from bot.inbox import Inbox, Item, LaneKey, lanes_of
from bot.lease import Fenced
from bot.raw import kind_of
from bot.tracing import tracing
from database import db
from outages import is_outage

log = logging.getLogger(__name__)

LONG_POLL = 25
BACK_OFF = 4.0
"""The longest pause in seconds after a failed fetch: short, so that an outage's end is noticed."""


class Lanes(Protocol):
    """Where accepted updates go."""

    def expect(self, bot_id: int) -> None:
        """Say that a batch is about to be put into the inbox."""

    def put(self, items: list[Item]) -> None:
        """Queue updates that are in the inbox."""

    def wake(self, keys: Iterable[LaneKey]) -> None:
        """Say that the inbox holds open updates for these lanes."""

    def idle(self, key: LaneKey) -> bool:
        """Whether nothing of a lane is waiting or running."""

    def busy(self) -> int:
        """How many lanes have something waiting or running."""

    def full(self) -> bool:
        """Whether enough is in memory."""


class Poller:
    """Polls one bot. `step` is one fetch; `run` repeats it until the stop."""

    def __init__(
        self,
        client: Client,
        inbox: Inbox,
        lanes: Lanes,
        *,
        kinds: list[str],
        threads: int = 32,
        received: Callable[[list[str], int], None],
        allowed: Callable[[], bool],
        prepare: Callable[[], None] = lambda: None,
        perform: Callable[[Callable[[], list[Item]]], list[Item]] = lambda work: work(),
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[threading.Event, float], object] = threading.Event.wait,
        unix: Callable[[], float] = time.time,
    ) -> None:
        self.client = client
        self.inbox = inbox
        self.lanes = lanes
        self.kinds = kinds
        self.threads = threads
        self.last_success = clock()
        """Monotonic time of the last getUpdates that Telegram answered well."""
        self.polled = 0.0
        """Unix time of the last one whose updates, if there were any, are kept; 0 for none."""
        self._received = received
        self._allowed = allowed
        self._prepare: Callable[[], None] | None = prepare
        self._perform = perform
        self._clock = clock
        self._wait = wait
        self._unix = unix
        self._offset: int | None = None
        self._failures = 0

    def step(self, timeout: int = LONG_POLL) -> int:
        """Fetch once and commit; give the number of updates that were new.

        The offset moves only after the commit: the next fetch is what tells Telegram that this
        one is safe. Raises what the client and the database raise.
        """
        if self._prepare:
            self._prepare()
            self._prepare = None
        with tracing.span("poll"):
            return self._step(timeout)

    def _step(self, timeout: int) -> int:
        updates = self._fetch(timeout)
        self.last_success = self._clock()
        self._failures = 0
        if not updates:
            self._note([], 0)
            return 0
        self.lanes.expect(self.client.bot_id)
        free = max(0, self.threads - self.lanes.busy())
        items = self._perform(partial(self._accept, updates, free, tracing.here()))
        # An id that is known may have been committed when nobody was told so: by a commit whose
        # answer was lost, or by a former holder of the lease.
        fresh = {item.update_id for item in items}
        known = [u for u in updates if u.get("update_id") not in fresh]
        self._note([*(item.kind for item in items), *map(kind_of, known)], len(known))
        self.lanes.wake(lanes_of(self.client.bot_id, known))
        self.lanes.put(items)
        # Not before: what failed on the way to its lane comes again, and wakes it.
        self._offset = 1 + max(
            (u["update_id"] for u in updates if type(u.get("update_id")) is int),
            default=(self._offset or 1) - 1,
        )
        return len(items)

    def _fetch(self, timeout: int) -> list[dict[str, Any]]:
        """The next updates; an entry that is no object is left out. Raises as the client does."""
        entries = self.client.get_updates(
            offset=self._offset, timeout=timeout, limit=100, allowed_updates=self.kinds
        )
        updates = [entry for entry in entries if isinstance(entry, dict)]
        if entries and not updates:  # they would come again at once, and again
            raise Ambiguous("getUpdates was answered without an update")
        return updates

    def _note(self, kinds: list[str], duplicates: int) -> None:
        self.polled = self._unix()
        self._received(kinds, duplicates)

    def _accept(self, updates: list[dict[str, Any]], free: int, trace: Any) -> list[Item]:
        with tracing.span("accept", trace):
            items = self.inbox.accept(
                self.client.bot_id, updates, idle=self.lanes.idle, threads=free
            )
        for item in items if trace is not None else ():
            item.trace = trace
        return items

    def run(self, stop: threading.Event, failed: Callable[[Exception], None]) -> None:
        """Fetch until `stop`; what waiting does not mend goes to `failed` and ends it."""
        while not stop.is_set():
            if self.lanes.full() or not self._allowed():
                self.last_success = self._clock()  # our own choice, not Telegram's silence
                self._wait(stop, 0.02)
                continue
            try:
                self.step()
            except Exception as error:  # noqa: BLE001 - the boundary of this thread
                pause = self._excuse(error)
                if pause is None:
                    failed(error)
                    return
                self._wait(stop, pause)

    def _excuse(self, error: Exception) -> float | None:
        """Say what went wrong and give the seconds to wait; None when waiting does not help."""
        self._failures += 1
        back_off: float = min(BACK_OFF, 0.5 * 2 ** min(self._failures, 5)) * random.uniform(
            0.75, 1.0
        )
        if isinstance(error, Stopping | Fenced):  # the beat sees to a lost lease
            return 0.1
        if is_outage(error):
            log.warning("the database is away, Telegram keeps the updates: %s", error)
            db.close()
            return max(0.5, back_off)
        if isinstance(error, NeverSent | Ambiguous | MemoryError):  # some plugin may have it all
            log.warning("getUpdates failed, trying again: %s", error)
            return back_off
        return self._refused(error, back_off)

    def _refused(self, error: Exception, back_off: float) -> float | None:
        code: Any = getattr(error, "error_code", None)
        if code == 409 and "webhook" in str(error).lower():
            log.error(
                "Telegram sends this bot's updates to a webhook: delete the webhook, or set"
                " BOT_MODE=webhook"
            )
        elif code == 409:
            log.error("another process polls with the same bot token: stop one of the two")
        elif code == 429:
            return retry_after(error)
        elif not isinstance(code, int) or code < 500:
            return None
        return float(max(back_off, 1.0))


def refusal(error: Exception, bot_id: int) -> tuple[int, str]:
    """Exit code and sentence for what ended the poller; 2 is for what a person must mend."""
    if getattr(error, "error_code", None) in (401, 404):
        said = f"Telegram refuses the token of bot {bot_id}"
        return 2, f"{said}: set TELEGRAM_BOT_TOKEN to what @BotFather gave you"
    return 1, f"polling of bot {bot_id} ended: {type(error).__name__}: {error}"
