"""The ledger: done marks and what goes with them are one commit, and each counts once."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import peewee
import psycopg2
import pytest

from bot.conversations import Change, Conversations, Open
from bot.inbox import Inbox, Item
from bot.lease import Fenced, Lease
from bot.ledger import Entry, Ledger
from database import Database
from models import AnalyticsEvent, Conversation, Failure, User
from models import Inbox as Row
from tests.bot.test_inbox import AT, make, message
from tests.conftest import HAS_POSTGRES


class Desk:
    """A ledger with an inbox beside it, and what it released."""

    def __init__(self, **options: Any) -> None:
        self.released: list[int] = []
        self.inbox: Inbox = make()
        self.lease = Lease("poller:7", owner="me", dead=lambda owner: False)
        self.lease.step()
        options = {"slots": 8, "period": 0.0, **options}
        self.ledger = Ledger({7: self.lease}, committed=self.release, clock=lambda: AT, **options)

    def release(self, items: Sequence[Item]) -> None:
        self.released += [item.update_id for item in items]

    def finish(self, *items: Item, **what: Any) -> None:
        for item in items:
            assert self.ledger.admit()
            self.ledger.add(Entry(item, counted=True, **what))


def states() -> dict[int, str]:
    return {row.update_id: row.state for row in Row.select()}


def test_a_group_is_one_commit(database: Database) -> None:
    """Marks, counters, events and conversations of a group are written together."""
    desk = Desk()
    items = desk.inbox.accept(7, [message(1), message(2), message(3, 6)])
    assert items[0].user and items[2].user
    desk.finish(items[0], events=[("message", items[0].user.id, {"a": 1})])
    desk.finish(items[1], events=[("message", items[1].user.id, {})])  # type: ignore[union-attr]
    desk.finish(items[2], change=Change((7, 6, 6), Open("a.b", {"x": 1}, AT)))
    assert desk.ledger.step() == 3
    assert set(states().values()) == {"done"} and desk.released == [1, 2, 3]
    assert Row.select().where(Row.payload.is_null(False)).count() == 0
    totals = {user.telegram_id: user.total_messages for user in User.select()}
    assert totals == {5: 2, 6: 1}
    assert User.get(telegram_id=5).last_activity_at == AT
    events = AnalyticsEvent.select().where(AnalyticsEvent.event_type == "message")
    assert [event.data for event in events] == [{"a": 1}, {}]
    assert Conversation.get().step == "a.b"


def test_the_last_activity_is_exact_to_the_minute(database: Database) -> None:
    """The first message of a minute sets it, also when the clock was ahead and is set back."""
    desk, seen = Desk(), list[float]()
    for number, seconds in enumerate((5, 50, 59, 60, 80, 9000, 61), start=1):
        desk.ledger.clock = lambda at=AT + timedelta(seconds=seconds): at  # type: ignore[misc]
        desk.finish(*desk.inbox.accept(7, [message(2 * number), message(2 * number + 1)]))
        desk.ledger.flush()
        active_at: datetime = User.get().last_activity_at  # type: ignore[assignment]
        seen.append((active_at - AT).total_seconds())
    assert seen == [5, 5, 5, 60, 60, 9000, 61] and User.get().total_messages == 14


@pytest.mark.parametrize("odd", ["yesterday", AT.replace(tzinfo=UTC), 5])
def test_whatever_a_plugin_makes_of_the_last_activity(database: Database, odd: object) -> None:
    """It is counted all the same, and the row has the time again."""
    desk = Desk()
    items = desk.inbox.accept(7, [message(1)])
    assert items[0].user
    items[0].user.last_activity_at = odd  # type: ignore[assignment]
    desk.finish(*items)
    assert desk.ledger.flush() == 1 and states() == {1: "done"}
    assert (User.get().total_messages, User.get().last_activity_at) == (1, AT)


def test_an_update_counts_once(database: Database) -> None:
    """A second mark of the same update changes nothing."""
    desk = Desk()
    (item,) = desk.inbox.accept(7, [message(1)])
    for _ in range(2):
        desk.finish(item, events=[("message", None, {})])
        desk.ledger.flush()
    assert User.get().total_messages == 1
    assert AnalyticsEvent.select().where(AnalyticsEvent.event_type == "message").count() == 1


def test_what_was_settled_before_costs_the_others_of_its_group_nothing(database: Database) -> None:
    """One row of three was done by a commit whose answer was lost: the others count, once."""
    desk = Desk()
    items = desk.inbox.accept(7, [message(1), message(2, 6), message(3)])
    desk.finish(items[1], events=[("message", None, {})])
    desk.ledger.flush()
    desk.released.clear()
    for item in items:
        desk.finish(item, events=[("message", None, {"n": item.update_id})])
    assert desk.ledger.flush() == 3
    assert set(states().values()) == {"done"} and desk.released == [1, 2, 3]
    assert {user.telegram_id: user.total_messages for user in User.select()} == {5: 2, 6: 1}
    events = AnalyticsEvent.select().where(AnalyticsEvent.event_type == "message")
    assert sorted(event.data.get("n", 0) for event in events) == [0, 1, 3]


def test_a_process_that_lost_its_lease_commits_nothing(database: Database) -> None:
    """After a take-over the group of the old holder is refused and stays with it."""
    desk = Desk()
    (item,) = desk.inbox.accept(7, [message(1)])
    desk.finish(item)
    other = Lease("poller:7", owner="other", dead=lambda owner: True)
    assert other.step()
    with pytest.raises(Fenced):
        desk.ledger.flush()
    assert states() == {1: "new"} and desk.released == [] and User.get().total_messages == 0


def test_an_outage_keeps_the_group_for_the_next_step(database: Database) -> None:
    """What could not be committed is committed later, in the same order."""
    desk, lost = Desk(), []
    items = desk.inbox.accept(7, [message(1), message(2)])
    desk.finish(items[0])
    real, failures = desk.ledger.commit, [peewee.OperationalError("gone"), None]

    def commit(entries: Sequence[Entry]) -> int:
        if failures and (error := failures.pop(0)):
            error.__cause__ = _outage()
            raise error
        return real(entries)

    desk.ledger.commit = commit  # type: ignore[method-assign]
    stop = threading.Event()
    thread = threading.Thread(target=desk.ledger.run, args=(stop, lambda: lost.append(1)))
    thread.start()
    desk.finish(items[1])
    for _ in range(200):
        if len(desk.released) == 2:
            break
        stop.wait(0.02)
    stop.set()
    thread.join(5)
    assert desk.released == [1, 2] and states() == {1: "done", 2: "done"} and not lost


def _outage() -> BaseException:
    return psycopg2.OperationalError("server closed the connection unexpectedly")


def test_one_refused_entry_does_not_take_the_others_with_it(database: Database) -> None:
    """Each entry of a refused group is tried alone; the bad one keeps its mark and no more."""
    desk = Desk()
    items = desk.inbox.accept(7, [message(1), message(2)])
    desk.finish(items[0], events=[("message", 10**9, {})])
    desk.finish(items[1], events=[("message", None, {})])
    assert desk.ledger.flush() == 2
    assert states() == {1: "done", 2: "done"}
    assert AnalyticsEvent.select().where(AnalyticsEvent.event_type == "message").count() == 1


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_group_with_more_values_than_a_statement_takes_is_split(database: Database) -> None:
    """What is too much together is committed alone, and nothing is lost."""
    desk = Desk()
    items = desk.inbox.accept(7, [message(1), message(2)])
    desk.finish(*items, events=[("message", None, {})] * 4)
    database.connection().setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 30)
    assert desk.ledger.flush() == 2 and desk.released == [1, 2]
    assert User.get().total_messages == 2
    assert AnalyticsEvent.select().where(AnalyticsEvent.event_type == "message").count() == 8


@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize(
    "said", ['database "bot" does not exist', 'password authentication failed for user "bot"']
)
def test_what_may_pass_costs_no_extras(
    database: Database, monkeypatch: pytest.MonkeyPatch, plain: bool, said: str
) -> None:
    """A database that has another name for a moment refuses no value: the group waits, whole."""
    desk, real, troubles = Desk(), database.execute_sql, [said]
    items = desk.inbox.accept(7, [message(1), message(2)])
    change = None if plain else Change((7, 5, 5), Open("a.b", {}, AT))
    desk.finish(*items, events=[("message", None, {})], change=change)

    def execute(*arguments: Any) -> Any:
        if troubles:
            raise peewee.OperationalError(psycopg2.OperationalError(troubles.pop()))
        return real(*arguments)

    monkeypatch.setattr(database, "execute_sql", execute)
    with pytest.raises(peewee.OperationalError):
        desk.ledger.flush()
    assert states() == {1: "new", 2: "new"} and desk.released == []
    assert desk.ledger.flush() == 2 and desk.released == [1, 2]
    assert User.get().total_messages == 2
    assert AnalyticsEvent.select().where(AnalyticsEvent.event_type == "message").count() == 2


@pytest.mark.parametrize("database_url", ["postgres"] if HAS_POSTGRES else [], indirect=True)
def test_a_statement_that_takes_too_long_costs_no_extras(database: Database) -> None:
    """Somebody builds an index, and the server ends what waits for it: it is counted later."""
    desk = Desk()
    desk.finish(*desk.inbox.accept(7, [message(1), message(2)]), events=[("message", None, {})])
    with closing(psycopg2.connect(database.database)) as other:
        other.cursor().execute("LOCK TABLE analytics_events IN SHARE MODE")
        database.execute_sql("SET statement_timeout = '100ms'")
        with pytest.raises(peewee.OperationalError, match="statement timeout"):
            desk.ledger.flush()
    database.execute_sql("RESET statement_timeout")
    assert states() == {1: "new", 2: "new"} and desk.ledger.flush() == 2
    assert User.get().total_messages == 2
    assert AnalyticsEvent.select().where(AnalyticsEvent.event_type == "message").count() == 2


def test_the_holder_of_a_lost_lease_is_told(database: Database) -> None:
    """The ledger's thread ends with one call when another process took over."""
    desk, lost = Desk(), []
    (item,) = desk.inbox.accept(7, [message(1)])
    desk.finish(item)
    Lease("poller:7", owner="other", dead=lambda owner: True).step()
    desk.ledger.run(threading.Event(), lambda: lost.append(1))
    assert lost == [1]


def test_no_more_updates_begin_than_there_are_slots(database: Database) -> None:
    """A crash can repeat only what has begun and is not committed."""
    desk = Desk(slots=2)
    items = desk.inbox.accept(7, [message(1), message(2)])
    desk.finish(*items)
    assert not desk.ledger.admit()
    desk.ledger.flush()
    assert desk.ledger.admit()
    desk.ledger.dismiss()


def test_failed_unknown_and_replying_rows_keep_what_they_need(database: Database) -> None:
    """A failure is recorded with its update; unknown kinds and unsent calls keep a payload."""
    desk = Desk()
    items = desk.inbox.accept(7, [message(1), message(2), message(3)])
    row = {
        "bot_id": 7,
        "update_id": 1,
        "plugin": "p",
        "handler": "h",
        "error": "ValueError",
        "message": "no",
        "traceback": "…",
        "fingerprint": "f",
        "payload": "{}",
        "user_id": 5,
        "chat_id": 5,
    }
    desk.finish(items[0], state="failed", failure=row)
    desk.finish(items[1], state="unknown", payload="{}")
    desk.finish(items[2], state="replying", payload='{"calls": []}')
    desk.ledger.flush()
    assert states() == {1: "failed", 2: "unknown", 3: "replying"}
    assert Failure.get().error == "ValueError"
    assert [r.done_at for r in Row.select().order_by(Row.update_id)] == [AT, AT, None]
    items[2].state = "replying"
    desk.finish(items[2])
    desk.ledger.flush()
    assert states()[3] == "done" and User.get().total_messages == 3


def test_conversations_survive_expire_and_move(database: Database) -> None:
    """Another life reads what is open; what has expired is none; a new chat id is followed."""
    clock = [AT]
    desk = Desk()
    (item,) = desk.inbox.accept(7, [message(1)])
    opened = Open("notes.save", {"title": "x"}, AT + timedelta(minutes=5))
    desk.finish(item, change=Change((7, -3, 5), opened))
    desk.ledger.flush()
    life = Conversations(clock=lambda: clock[0])
    life.load(7)
    assert life.get((7, -3, 5)) == opened and life.get((7, 1, 1)) is None
    life.move(7, -3, -100)
    assert life.get((7, -3, 5)) is None
    clock[0] += timedelta(minutes=5)
    other = Conversations(clock=lambda: clock[0])
    other.load(7)
    assert other.get((7, -3, 5)) is None
    from bot.conversations import forget

    assert forget(clock[0]) == 1


def test_the_last_of_several_changes_counts(database: Database) -> None:
    """A conversation that was opened and closed in one group is closed."""
    desk = Desk()
    items = desk.inbox.accept(7, [message(1), message(2)])
    desk.finish(items[0], change=Change((7, 5, 5), Open("a.b", {}, AT)))
    desk.finish(items[1], change=Change((7, 5, 5), None))
    desk.ledger.flush()
    assert Conversation.select().count() == 0
    life = Conversations(clock=lambda: AT - timedelta(days=1))
    life.keep(Change((7, 5, 5), Open("a.b", {}, AT)))
    assert life.get((7, 5, 5)) is not None
    life.keep(Change((7, 5, 5), None))
    assert life.get((7, 5, 5)) is None


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_without_memory_nobody_goes_on_as_if_nothing_were(database: Database) -> None:
    """What is half done cannot be told: it is raised, and the next life begins with the tables."""

    def committed(items: Sequence[Item]) -> None:
        raise MemoryError

    ledger = Ledger({}, slots=8, committed=committed)
    assert ledger.admit()
    ledger.add(Entry(Item(7, 1, 1, "message", {})))
    with pytest.raises(MemoryError):
        ledger.help_out()
    assert ledger.admit()
    ledger.add(Entry(Item(7, 2, 1, "message", {})))
    with pytest.raises(MemoryError):
        ledger.run(threading.Event(), lambda: None)
