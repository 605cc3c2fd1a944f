"""Failures: kept, told once an hour, tried again, dismissed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from database import Database, bind
from models import Failure, Inbox
from services import failures

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC).replace(tzinfo=None)
UPDATE = '{"update_id": 8, "message": {"chat": {"id": 5}}}'


def record(**values: Any) -> int:
    """A failure in the table."""
    row: dict[str, Any] = {
        "bot_id": 1,
        "update_id": 8,
        "plugin": "notes",
        "handler": "save",
        "error": "ValueError",
        "message": "no",
        "traceback": "Traceback …",
        "fingerprint": "f",
        "payload": UPDATE,
        "user_id": 7,
        "chat_id": 5,
    }
    return failures.record(**{**row, **values})


def inbox(state: str) -> None:
    """The update's row in the inbox."""
    done = None if state in {"new", "queued", "replying"} else NOW
    row = {"lane": 77, "kind": "message", "state": state, "attempts": 3, "done_at": done}
    Inbox.create(bot_id=1, update_id=8, payload=UPDATE, received_at=NOW, **row)


def test_a_failure_is_kept_whatever_it_says(database: Database) -> None:
    """Texts that a database cannot hold are mended, and long names are cut."""
    number = record(
        message="a\0b\ud800", traceback="x" * 30_000, handler="h" * 500, error="E" * 500
    )
    row = Failure.get_by_id(number)
    assert (row.message, len(row.traceback), row.state) == ("ab?", 30_000, "open")
    assert (len(row.handler), len(row.error), row.payload) == (128, 128, UPDATE)


def test_owners_are_told_once_an_hour(database: Database) -> None:
    """An error is told again after an hour; another error at once."""
    assert failures.notice_due("f", NOW)
    assert not failures.notice_due("f", NOW + timedelta(minutes=59))
    assert failures.notice_due("other", NOW)
    assert failures.notice_due("f", NOW + timedelta(minutes=60))


def test_a_clock_that_was_ahead_keeps_no_notice_back(database: Database) -> None:
    """What was told in a future that did not come is told again, once."""
    assert failures.notice_due("f", NOW + timedelta(days=30))
    assert [failures.notice_due("f", NOW) for _ in range(2)] == [True, False]


def test_owners_are_not_told_again_after_a_restart(database: Database) -> None:
    """The notice that the table remembers counts for a process that knows of none."""
    record(noticed_at=NOW)
    record(noticed_at=NOW - timedelta(hours=3))
    record()
    assert not failures.notice_due("f", NOW + timedelta(minutes=30))
    assert failures.notice_due("f", NOW + timedelta(minutes=90))


def test_each_database_has_notices_of_its_own(database: Database) -> None:
    """What was told of one database says nothing of another, and memory is bounded."""
    assert failures.notice_due("f", NOW)
    memory = failures._told[database]
    memory.update({str(number): NOW for number in range(failures.REMEMBERED)})
    assert failures.notice_due("g", NOW)
    assert memory == {"g": NOW}
    assert bind(database) is database


def test_a_replay_puts_the_update_back(database: Database) -> None:
    """The update waits again in its own lane, with no attempt counted, and the failure is over."""
    inbox("failed")
    number = record()
    assert failures.replay(number)
    row = Inbox.get()
    assert (row.state, row.lane, row.attempts, row.done_at) == ("queued", 77, 0, None)
    assert row.payload == UPDATE and Failure.get().state == "replayed"
    assert not failures.replay(number)


def test_an_update_that_was_forgotten_is_put_back_anew(database: Database) -> None:
    """A failure older than the inbox's memory is replayed from its own copy."""
    assert failures.replay(record())
    assert failures.replay(record(update_id=9, chat_id=None))
    assert failures.replay(record(update_id=10, chat_id=None, user_id=None))
    rows = [(row.lane, row.kind, row.state) for row in Inbox.select().order_by(Inbox.update_id)]
    assert rows == [(lane, "message", "queued") for lane in (5, 7, 0)]


@pytest.mark.parametrize("state", ["queued", "new", "replying"])
def test_an_update_that_still_waits_is_not_replayed(database: Database, state: str) -> None:
    """An update that is open already is handled once, and its failure stays open."""
    inbox(state)
    assert not failures.replay(record())
    assert (Inbox.get().state, Failure.get().state) == (state, "open")


def test_what_is_gone_is_not_replayed(database: Database) -> None:
    """No failure, and one without its update, cannot be replayed."""
    assert not failures.replay(99)
    assert not failures.replay(record(payload=None))


def test_a_dismissed_failure_drops_its_update(database: Database) -> None:
    """The failure stays to be read, the person's words go, and it cannot be replayed."""
    inbox("failed")
    number = record()
    assert failures.dismiss(number)
    row = Failure.get()
    assert (row.state, row.payload, row.message) == ("dismissed", None, "no")
    assert Inbox.get().payload is None
    assert not failures.dismiss(number) and not failures.replay(number)
    assert not failures.dismiss(99)
