"""Turns: an update from its raw form to its ledger entry, through outages and crashes."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass

from telebot import types

from bot.client import Client, Stopping
from bot.context import Context, Runtime
from bot.conversations import Conversations
from bot.dispatch import entry_of, send_replies
from bot.inbox import UNCOUNTED, Inbox, Item
from bot.lease import Fenced, Lease
from bot.ledger import Entry, Ledger, Settled
from bot.middleware import Step, Turn, describe
from bot.quarantine import KILLS, Judgement, Quarantine
from bot.raw import Raw
from database import db, is_outage

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Desk:
    """What a turn needs of its bot."""

    client: Client
    runtime: Runtime
    lease: Lease


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
        migrate: Callable[[int, int, int], None],
        stop: threading.Event,
        lost: Callable[[], None],
    ) -> None:
        self.desks = desks
        self.inbox = inbox
        self.ledger = ledger
        self.conversations = conversations
        self._through = through
        self._migrate = migrate
        self._stop = stop
        self._lost = lost
        self.quarantine = Quarantine()

    def run(self, item: Item) -> bool:
        """Handle one update and put it into the ledger; False when the process stops first.

        While the lease or the database is away, the update waits here: it is not the plugin's
        fault, and nothing is lost.
        """
        while not self._stop.is_set():
            if not self.desks[item.bot_id].lease.valid() or not self.ledger.admit(0.5):
                self._stop.wait(0.05)
                continue
            try:
                if entry := self._handle(item):
                    self.ledger.add(entry)
                else:
                    self.ledger.drop(item)
                return True
            except Fenced:
                self.ledger.dismiss()
                self._lost()
                return False
            except Settled:
                if self._is_settled(item):
                    self.ledger.drop(item)
                    return True
                self.ledger.dismiss()
            except Exception as error:
                if not isinstance(error, Stopping) and not is_outage(error):
                    log.exception("update %s fell through, it is kept", item.update_id)
                    self.ledger.add(_failed(item, type(error).__name__, f"Core: {error}"))
                    return True
                self.ledger.dismiss()
                log.info("update %s waits: %s", item.update_id, type(error).__name__)
                self._stop.wait(self._pause(item, error))
            finally:
                if not db.is_closed():
                    db.close()
        return False

    def _pause(self, item: Item, error: Exception) -> float:
        """Seconds to wait; counts how often our own database was there: it is not our outage."""
        if not is_outage(error):
            return 0.2
        try:
            db.execute_sql("SELECT 1")
            item.waits += 1
        except Exception as again:
            if not is_outage(again):
                raise
            item.waits = 0
        return float(min(3.0, 0.2 * 2**item.waits))

    def _is_settled(self, item: Item) -> bool:
        """Look what came of a commit whose answer was lost; True when nothing is left to do."""
        try:
            return not self.inbox.reload(item)
        except Exception as error:
            if not is_outage(error):
                raise
            db.close()
            self._stop.wait(0.2)
            return False  # it runs again, and is settled again

    def _handle(self, item: Item) -> Entry | None:
        """Run an update; None when what it leaves behind is committed already."""
        if item.state == "replying":
            return send_replies(self.desks[item.bot_id].client, item)
        judgement = self.quarantine.judge(item)
        item.recovered = False
        if judgement is Judgement.FREE:
            return self._turn(item)
        if judgement is Judgement.GUILTY:
            return self._set_aside(item)
        with self.quarantine.alone(item) if judgement is Judgement.SUSPECT else nullcontext():
            self.inbox.start(item)
            # Committed at once, so that the next crash finds only what was running.
            self.ledger.commit_group([self._turn(item)])
            return None

    def _set_aside(self, item: Item) -> Entry:
        log.error("update %s ended the process %s times: set aside", item.update_id, KILLS)
        said = f"The process ended {KILLS} times while this update was handled."
        return _failed(item, UNCOUNTED, said)

    def _turn(self, item: Item) -> Entry:
        desk = self.desks[item.bot_id]
        try:
            update = types.Update.de_json(_readable(item))  # type: ignore[no-untyped-call]
            event = vars(update).get(item.kind)
        except Exception as error:  # noqa: BLE001 - telebot raises what it likes
            log.warning("update %s cannot be read, it is kept: %s", item.update_id, error)
            return _failed(item, type(error).__name__, f"The update cannot be read: {error}")
        if event is None:
            log.warning("update %s is of an unknown kind, it is kept", item.update_id)
            return Entry(item, "unknown", json.dumps(item.update))
        ctx = Context(desk.runtime, update, item.kind, event, item.user)
        turn = Turn(item, ctx, desk.client)
        event.turn = turn
        self._follow_migration(turn)
        self._through(turn)
        if turn.entry is not None:
            return turn.entry
        entry = entry_of(turn)
        if entry.change:
            self.conversations.keep(entry.change)
        return entry

    def _follow_migration(self, turn: Turn) -> None:
        new = getattr(turn.ctx.event, "migrate_to_chat_id", None)
        if turn.item.kind == "message" and new and turn.ctx.chat and new != turn.ctx.chat.id:
            self._migrate(turn.item.bot_id, turn.ctx.chat.id, new)
            self.conversations.move(turn.item.bot_id, turn.ctx.chat.id, new)


def _readable(item: Item) -> Raw:
    """The update as telebot reads it: of one kind it expects another name than Telegram gives."""
    if item.kind != "purchased_paid_media":
        return item.update
    event = item.update[item.kind]
    return {**item.update, item.kind: {**event, "from_user": event.get("from")}}


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
