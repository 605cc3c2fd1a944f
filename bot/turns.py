"""Turns: an update from its raw form to its ledger entry, through outages and crashes."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import TypeAlias

from bot import codec
from bot.client import Client, Stopping
from bot.context import Context, Runtime
from bot.conversations import Conversations
from bot.dispatch import entry_of, send_replies
from bot.hooks import HookError
from bot.inbox import UNCOUNTED, Inbox, Item, LaneKey
from bot.lease import Fenced, Lease
from bot.ledger import Entry, Ledger, Settled
from bot.logs import topic
from bot.middleware import Step, Turn, describe, failure_of
from bot.quarantine import FREE, GUILTY, KILLS, SUSPECT, Quarantine
from bot.reading import read
from bot.sending import Sending
from bot.tracing import tracing
from database import current, db
from outages import is_outage
from services import failures

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Desk:
    """What a turn needs of its bot."""

    client: Client
    runtime: Runtime
    lease: Lease


class Fate(Enum):
    """What became of an update that leaves no entry for the ledger here."""

    SETTLED = "what it leaves behind is committed already"
    CARRIED = "the courier has its reply, and its turn ends with the answer"


SETTLED, CARRIED = Fate
Attempt: TypeAlias = Callable[[Item], Entry | Fate]


class Turns:
    """Runs updates one at a time for each caller; `run` is what a lane calls."""

    def __init__(
        self,
        desks: Mapping[int, Desk],
        inbox: Inbox,
        ledger: Ledger,
        conversations: Conversations,
        *,
        through: Step,
        send: Step,
        record: Callable[[Turn, float], None],
        migrate: Callable[[int, int, int], list[HookError]],
        stop: threading.Event,
        lost: Callable[[], None],
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.desks = desks
        self.inbox = inbox
        self.ledger = ledger
        self.conversations = conversations
        self.advance: Callable[[LaneKey], None] = lambda key: None
        """Called when a carried update's turn is over."""
        self.send_on: Callable[[Callable[[], None]], None] = lambda errand: errand()
        """Has work done that may wait for Telegram."""
        self._through = through
        self._send = send
        self._record = record
        self._migrate = migrate
        self._stop = stop
        self._lost = lost
        self._clock = clock
        self.quarantine = Quarantine()
        self._database = current()

    def run(self, item: Item) -> bool:
        """Handle one update that was admitted, and put it into the ledger.

        False when its turn is not over: its reply is on the way, or the process stops first.
        While the lease or the database is away, the update waits here: it is not the plugin's
        fault, and nothing is lost.
        """
        if (seconds := self.quarantine.postpones(item)) and self._postpone(item, seconds):
            return False
        if not self.desks[item.bot_id].lease.valid():
            self.ledger.dismiss()
            if not self._admit(item):
                return False
        return self._see_through(item, self._handle)

    def _postpone(self, item: Item, seconds: float) -> bool:
        """Run an update later; False when there is no thread to wait for it: then it runs now."""
        later = threading.Timer(seconds, self.send_on, [partial(self._resume, item)])
        later.daemon = True
        try:
            later.start()
        except (RuntimeError, MemoryError):
            return False
        self.ledger.dismiss()
        return True

    def _resume(self, item: Item) -> None:
        """Run an update that was postponed, and let its lane go on."""
        if self._admit(item) and self._see_through(item, self._handle):
            self.advance(item.key)

    def _see_through(self, item: Item, attempt: Attempt) -> bool:
        """Bring an update to an end; whatever is logged meanwhile tells which one it was."""
        topic.fields = {"bot_id": item.bot_id, "update_id": item.update_id}
        try:
            if not tracing.on:
                return self._persist(item, attempt)
            with tracing.span("update", item.trace, bot_id=item.bot_id, update_id=item.update_id):
                return self._persist(item, attempt)
        finally:
            topic.fields = {}

    def _persist(self, item: Item, attempt: Attempt) -> bool:
        """Make the attempt, then handle the update anew, until that comes to an end."""
        while True:
            try:
                return self._try(item, attempt)
            except Fenced:
                self.ledger.dismiss()
                self._lost()
                return False
            except Exception as error:
                if isinstance(error, Settled):
                    if self._is_settled(item):
                        self.ledger.drop(item)
                        return True
                    self.ledger.dismiss()
                elif isinstance(error, Stopping) or is_outage(error):
                    self.ledger.dismiss()
                    log.info("update %s waits: %s", item.update_id, type(error).__name__)
                    self._stop.wait(self._pause(item, error))
                else:
                    log.exception("update %s fell through, it is kept", item.update_id)
                    self.ledger.add(_failed(item, type(error).__name__, f"Core: {error}"))
                    return True
            if not self._admit(item):
                return False
            attempt = self._handle

    def _try(self, item: Item, attempt: Attempt) -> bool:
        """Put what the attempt leaves behind into the ledger; False when its turn goes on."""
        try:
            result = attempt(item)
            if isinstance(result, Entry):
                self.ledger.add(result)
            elif result is SETTLED:
                self.ledger.drop(item)
            return result is not CARRIED
        finally:
            self._close()

    def _close(self) -> None:
        """Give the thread's connection back; what goes wrong changes nothing in what was done."""
        try:
            if not self._database.is_closed():
                self._database.close()
        except Exception:
            log.exception("a connection could not be given back")

    def _admit(self, item: Item) -> bool:
        """Wait until the update may begin once more; False when the process stops first."""
        while not self._stop.is_set():
            if self.desks[item.bot_id].lease.valid() and self.ledger.admit():
                return True
            self._stop.wait(0.05)
        return False

    def _pause(self, item: Item, error: Exception) -> float:
        """Seconds to wait; counts how often our own database was there: it is not our outage."""
        if not is_outage(error):
            return 0.2
        try:
            db.execute_sql("SELECT 1")
            item.waits += 1
        except Exception:  # noqa: BLE001 - renamed, a password changed: it is away all the same
            item.waits = 0
        return float(min(3.0, 0.2 * 2**item.waits))

    def _is_settled(self, item: Item) -> bool:
        """Look what came of a commit whose answer was lost; True when nothing is left to do."""
        try:
            return not self.inbox.reload(item)
        except Exception:  # noqa: BLE001 - as in `_pause`
            db.close()
            self._stop.wait(0.2)
            return False  # it runs again, and is settled again

    def _handle(self, item: Item) -> Entry | Fate:
        """Run an update."""
        if item.state == "replying":
            return send_replies(self.desks[item.bot_id].client, item)
        judgement = self.quarantine.judge(item)
        item.recovered = False
        if judgement is FREE:
            turn = self._turn(item)
            return CARRIED if isinstance(turn, Turn) and self._post(turn) else self._end(turn)
        if judgement is GUILTY:
            return self._set_aside(item)
        with self.quarantine.alone(item) if judgement is SUSPECT else nullcontext():
            self.inbox.start(item)
            # Committed at once, so that the next crash finds only what was running.
            self.ledger.commit_group([self._end(self._turn(item))])
            return SETTLED

    def _post(self, turn: Turn) -> bool:
        """Give the reply to the courier; False when there is none, or it must wait."""
        if turn.reply is None or turn.failure is not None:
            return False
        return turn.client.post("sendMessage", turn.reply, partial(self._hear, turn))

    def _hear(self, turn: Turn, sending: Sending) -> None:
        """Learn how the first try of a reply ended; whoever listens must not wait here."""
        if sending.outcome is not None:
            turn.sending = sending
            return self.send_on(partial(self._conclude, turn))
        try:
            entry = self._end(turn, carried=True)
        except Exception as error:  # noqa: BLE001 - a mistake of ours: it is told, the update kept
            if not self._see_through(turn.item, partial(_raise, error)):
                return None
        else:
            self.ledger.add(entry)
        self.advance(turn.item.key)

    def _conclude(self, turn: Turn) -> None:
        """End the turn of an update whose reply the courier carried."""
        if self._see_through(turn.item, lambda _item: self._end(turn, carried=True)):
            self.advance(turn.item.key)

    def _end(self, turn: Turn | Entry, *, carried: bool = False) -> Entry:
        """Send what is still to be sent, count and log the turn, and give its entry."""
        if isinstance(turn, Entry):
            return turn
        if turn.sending is not None or not (carried or turn.reply is None):
            self._send(turn)
        self._record(turn, self._clock() - turn.started)
        turn.ctx.event.turn = None  # a ring that only the search for garbage would find
        if turn.entry is not None:
            return turn.entry
        entry = entry_of(turn)
        if entry.change:
            self.conversations.keep(entry.change)
        return entry

    def _set_aside(self, item: Item) -> Entry:
        log.error("update %s ended the process %s times: set aside", item.update_id, KILLS)
        said = f"The process ended {KILLS} times while this update was handled."
        return _failed(item, UNCOUNTED, said)

    def _turn(self, item: Item) -> Turn | Entry:
        """Have the update handled; its entry at once when no handler can see it."""
        desk, started = self.desks[item.bot_id], self._clock()
        try:
            event, update = read(item.update, item.kind)
        except Exception as error:  # noqa: BLE001 - telebot raises what it likes
            log.warning("update %s cannot be read, it is kept: %s", item.update_id, error)
            return _failed(item, type(error).__name__, f"The update cannot be read: {error}")
        if event is None:
            log.warning("update %s is of an unknown kind, it is kept", item.update_id)
            return Entry(item, "unknown", codec.dumps(item.update))
        ctx = Context(desk.runtime, update or item.update, item.kind, event, item.user)
        turn = Turn(item, ctx, desk.client, started)
        event.turn = turn
        self._follow_migration(turn)
        try:
            self._through(turn)
        finally:
            self._undo(turn)
        return turn

    def _undo(self, turn: Turn) -> None:
        """Undo a transaction that a handler left open: what comes after it would be part of it."""
        database = self._database
        if not database.in_transaction():
            return
        log.error("%s left a transaction open, it is undone", turn.label)
        while database.in_transaction():
            database.pop_transaction()
        try:
            database.rollback()
        except Exception:
            log.exception("it could not be undone, its connection is closed")
            database.manual_close()

    def _follow_migration(self, turn: Turn) -> None:
        new = getattr(turn.ctx.event, "migrate_to_chat_id", None)
        if turn.item.kind == "message" and new and turn.ctx.chat and new != turn.ctx.chat.id:
            for error in self._migrate(turn.item.bot_id, turn.ctx.chat.id, new):
                blamed = {"plugin": error.plugin, "handler": error.hook}
                failures.record(**failure_of(turn, error.error) | blamed)
            self.conversations.move(turn.item.bot_id, turn.ctx.chat.id, new)


def _raise(error: Exception, _item: Item) -> Entry:
    raise error


def _failed(item: Item, error: str, said: str) -> Entry:
    """An update that no plugin can be blamed for, kept as a failure."""
    failure = {
        **describe(item),
        "plugin": "",
        "handler": "",
        "error": error,
        "message": said[:1000],
        "traceback": "",
        "fingerprint": f"{error}:{item.bot_id}:{item.kind}",
        "chat_id": None,
    }
    return Entry(item, "failed", failure=failure)
