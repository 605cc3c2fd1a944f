"""Failures in groups: found by index, counted up to a bound, replayed and dismissed in batches."""

from __future__ import annotations

import json
from typing import Any

import pytest

from database import Database, db, now
from models import Failure, Inbox
from services import groups
from services.audit import TERMINAL
from staff import AuditEntry


def fail(
    fingerprint: str = "f", *, update_id: int = 0, state: str = "open", plugin: str = "notes"
) -> int:
    """A failure; its update is a message."""
    update = {"update_id": update_id, "message": {"text": "hi"}}
    row = Failure.create(
        bot_id=7,
        update_id=update_id,
        plugin=plugin,
        handler="add",
        error="ValueError",
        message="no",
        traceback="Traceback",
        fingerprint=fingerprint,
        payload=json.dumps(update),
        state=state,
        chat_id=5,
    )
    return int(row.id)


def fill(count: int, kinds: int) -> None:
    """Many failures in one statement; one in 101 is open."""
    at = now()
    states = ["open" if number % 101 == 0 else "dismissed" for number in range(count)]
    values: list[dict[str, Any]] = [
        {
            "bot_id": 7,
            "update_id": number,
            "plugin": "notes",
            "handler": "add",
            "error": "ValueError",
            "message": "",
            "traceback": "",
            "fingerprint": f"kind {number % kinds}",
            "state": state,
            "created_at": at,
            "updated_at": at,
        }
        for number, state in enumerate(states)
    ]
    for begin in range(0, count, 1000):
        Failure.insert_many(values[begin : begin + 1000]).execute()


def test_groups_come_newest_first(database: Database) -> None:
    """Each once, by its newest failure; those with nothing open only when all are asked for."""
    begun = fail("old")
    new = fail("new", plugin="shop")
    newest_old = fail("old")
    closed = fail("closed", state="dismissed")
    assert groups.newest() == [newest_old, new]
    assert groups.newest(only_open=False) == [closed, newest_old, new]
    assert groups.newest(plugin="shop") == [new] and groups.newest(plugin="none") == []
    first, second = groups.about(groups.newest())
    assert (first.fingerprint, first.last.id, first.total, first.open) == ("old", newest_old, 2, 2)
    assert first.first_at == Failure.get_by_id(begun).created_at
    assert second.fingerprint == "new"
    assert groups.about([]) == [] == groups.about([10**6]) and groups.find("none") is None


def test_the_newest_open_failure_stands_for_a_group(database: Database) -> None:
    """Its traceback is the one to mend; without an open one, the newest of all."""
    newest = fail()
    fail(state="replayed")
    found = groups.find("f")
    assert found and found.last.id == newest and (found.total, found.open) == (2, 1)
    Failure.update(state="dismissed").execute()
    found = groups.find("f")
    assert found and found.last.id == newest + 1 and found.open == 0


def test_a_batch_takes_the_oldest_and_says_where_to_go_on(database: Database) -> None:
    """So many at once; what has no update, or waits already, is skipped and stays open."""
    ids = [fail(update_id=number) for number in range(groups.BATCH + 3)]
    Failure.update(payload=None).where(Failure.id == ids[0]).execute()
    last = groups.newest_open("f")
    fail(update_id=999)
    assert groups.left("f", 0, last) == groups.BATCH + 3
    step = groups.step(TERMINAL, "replay", "f", 0, last)
    assert step == groups.Step(groups.BATCH - 1, 1, ids[groups.BATCH - 1])
    step = groups.step(TERMINAL, "replay", "f", step.after or 0, last)
    assert step == groups.Step(3, 0, None)
    left = {row.update_id for row in Failure.select().where(Failure.state == "open")}
    assert left == {0, 999}, "what failed since is another matter"
    assert Inbox.select().where(Inbox.state == "queued").count() == len(ids) - 1
    noted = [(row.action, row.target, row.after["count"]) for row in AuditEntry.select()]
    assert noted == [("failure.replay_all", "failures:f", n) for n in (groups.BATCH - 1, 3)]


def test_a_batch_that_does_nothing_is_not_noted(database: Database) -> None:
    """There is nothing to tell of it."""
    assert groups.step(TERMINAL, "replay", "f", 0, 10) == groups.Step(0, 0, None)
    assert not groups.act_on(TERMINAL, "dismiss", 1)
    assert not AuditEntry.select().exists()


def test_all_are_dismissed_too(database: Database) -> None:
    """Their updates are gone with them."""
    for number in range(3):
        fail(update_id=number)
    step = groups.step(TERMINAL, "dismiss", "f", 0, groups.newest_open("f"))
    assert step == groups.Step(3, 0, None)
    assert {(row.state, row.payload) for row in Failure.select()} == {("dismissed", None)}


def test_counting_ends_early(database: Database) -> None:
    """A group of more than so many is not counted to its end."""
    fill(groups.LISTED * 5, 1)
    (found,) = groups.about(groups.newest())
    assert (found.total, found.open) == (groups.LISTED + 1, 10)
    whole = groups.find("kind 0")
    assert whole and whole.total == groups.LISTED * 5 <= groups.COUNTED


def test_members_are_paged_by_their_ids(database: Database) -> None:
    """The newest first; the next page begins after the last one shown."""
    ids = [fail() for _ in range(5)]
    first = groups.members("f", size=3)
    rest = groups.members("f", before=first[-1].id, size=3)
    assert [row.id for row in [*first, *rest]] == ids[::-1]


@pytest.mark.parametrize("only_open", [True, False])
def test_no_group_is_found_by_reading_all_failures(database: Database, only_open: bool) -> None:
    """The plan walks the indexes; a plain GROUP BY, the control, reads all of the table."""
    fill(5_000, 5)
    if not database.local:
        db.execute_sql("ANALYZE failures")
    assert len(groups.newest(only_open=only_open)) == 5
    plan = explain(database, groups.walk(only_open=only_open))
    assert "Seq Scan" not in plan and "SCAN failures" not in plan, plan
    assert ("failures_state_fingerprint_id" if only_open else "failures_fingerprint_id") in plan
    plain = explain(database, "SELECT fingerprint, COUNT(*) FROM failures GROUP BY fingerprint")
    assert "Seq Scan" in plain or "SCAN failures" in plain, plain


def explain(database: Database, sql: str) -> str:
    """How a query would be carried out."""
    how = "EXPLAIN QUERY PLAN" if database.local else "EXPLAIN"
    return "\n".join(str(row) for row in db.execute_sql(f"{how} {sql}").fetchall())
