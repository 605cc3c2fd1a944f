"""One stroke: it leaves behind what the general way leaves behind, or nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from bot import stroke
from bot.conversations import Change
from bot.inbox import Item
from bot.lease import Fenced, Lease
from bot.ledger import Entry
from database import Database, db
from models import AnalyticsEvent, User
from models import Inbox as Row
from tests.bot.test_inbox import AT, message
from tests.bot.test_ledger import Desk
from tests.conftest import HAS_POSTGRES

Commit = Callable[[list[Entry]], object]
pytestmark = pytest.mark.parametrize(
    "database_url", ["postgres"] if HAS_POSTGRES else [], indirect=True
)


@pytest.fixture
def desk(database: Database) -> Desk:
    desk = Desk()
    desk.ledger.clock = lambda: AT + timedelta(seconds=5)
    return desk


@pytest.fixture
def strokes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many entries each stroke was for."""
    made, real = list[int](), stroke.commit

    def commit(lease: Lease, entries: list[Entry], at: Any) -> None:
        made.append(len(entries))
        real(lease, entries, at)

    monkeypatch.setattr(stroke, "commit", commit)
    return made


def accept(desk: Desk) -> list[Item]:
    """Updates of two people and of nobody."""
    nobody = {"update_id": 4, "poll": {"id": "1"}}
    return desk.inbox.accept(7, [message(1), message(2), message(3, 6), nobody])


def entries_of(items: list[Item]) -> list[Entry]:
    """Entries of each kind that a stroke takes."""
    ids = [item.user.id if item.user else None for item in items]
    return [
        Entry(items[0], counted=True, events=[("message", ids[0], {"a": 'ж"\\'}), ("x", None, {})]),
        Entry(items[1], counted=True, events=[("command", ids[1], {"command": "go"})]),
        Entry(items[2], events=[("callback", ids[2], {})]),
        Entry(items[3]),
    ]


def snapshot() -> dict[str, list[Any]]:
    """All that the tables hold, but for the numbers that a sequence gave."""
    fields = [field for field in AnalyticsEvent._meta.sorted_fields if field.name != "id"]
    events = AnalyticsEvent.select(*fields).order_by(AnalyticsEvent.event_type, AnalyticsEvent.user)
    return {
        "inbox": list(Row.select().order_by(Row.update_id).dicts()),
        "users": list(User.select().order_by(User.id).dicts()),
        "events": list(events.dicts()),
    }


def left_behind(commit: Commit, entries: list[Entry]) -> dict[str, list[Any]]:
    """What a way of committing makes of the tables; it is undone again."""
    with db.atomic() as transaction:
        commit(entries)
        after = snapshot()
        transaction.rollback()
    return after


def test_both_ways_leave_the_same(desk: Desk, strokes: list[int]) -> None:
    """Marks, counters, events and the time of the last activity do not tell which way it was."""
    entries, before = entries_of(accept(desk)), snapshot()
    general = left_behind(desk.ledger.commit, entries)
    assert snapshot() == before and not strokes
    one = left_behind(desk.ledger.commit_group, entries)
    assert one == general and strokes == [4]
    assert {row["state"] for row in one["inbox"]} == {"done"}
    assert [user["total_messages"] for user in one["users"]] == [2, 0]
    assert {user["last_activity_at"] for user in one["users"]} == {AT + timedelta(seconds=5)}
    assert len(one["events"]) == len(before["events"]) + 4


def test_both_ways_tell_the_minute_of_the_last_activity(desk: Desk, strokes: list[int]) -> None:
    """A message in the same minute leaves the time as it is, the first of the next one moves it."""
    seen: list[list[Any]] = []
    for number, seconds in enumerate((5, 50, 59, 60, 80, 9000, 61), start=1):
        entries = [Entry(item, counted=True) for item in desk.inbox.accept(7, [message(number)])]
        desk.ledger.clock = lambda at=AT + timedelta(seconds=seconds): at  # type: ignore[misc]
        general = left_behind(desk.ledger.commit, entries)
        desk.ledger.commit_group(entries)
        assert snapshot() == general
        (user,) = snapshot()["users"]
        seen.append([user["total_messages"], user["last_activity_at"] - AT])
    first, second = timedelta(seconds=5), timedelta(seconds=60)
    ahead, back = timedelta(seconds=9000), timedelta(seconds=61)
    assert [count for count, _ in seen] == [1, 2, 3, 4, 5, 6, 7] and strokes == [1] * 7
    assert [at for _, at in seen] == [first, first, first, second, second, ahead, back]


def test_entries_without_a_user_or_an_event(desk: Desk, strokes: list[int]) -> None:
    """A group in which nobody is met and nothing is tracked is marked all the same."""
    item = accept(desk)[3]
    before = snapshot()
    desk.ledger.commit_group([Entry(item)])
    after = snapshot()
    assert strokes == [1] and [row["state"] for row in after["inbox"]] == [*["new"] * 3, "done"]
    assert (after["users"], after["events"]) == (before["users"], before["events"])


def test_an_update_counts_once(desk: Desk, strokes: list[int]) -> None:
    """A second stroke for the same updates changes nothing."""
    entries = entries_of(accept(desk))
    desk.ledger.commit_group(entries[:2])
    once = snapshot()
    desk.ledger.commit_group(entries[:2])
    assert snapshot() == once and strokes == [2, 2]
    desk.ledger.commit_group(entries)
    assert [user["total_messages"] for user in snapshot()["users"]] == [2, 0]


def test_a_lost_lease_changes_nothing(desk: Desk, strokes: list[int]) -> None:
    """After a take-over the old holder is told so, and its group stays with it."""
    entries = entries_of(accept(desk))
    before = snapshot()
    assert Lease("poller:7", owner="other", dead=lambda owner: True).step()
    for entry in entries:
        assert desk.ledger.admit()
        desk.ledger.add(entry)
    with pytest.raises(Fenced):
        desk.ledger.flush()
    assert snapshot() == before and strokes == [4] and desk.released == []


def test_a_refused_event_takes_no_other_entry_with_it(desk: Desk, strokes: list[int]) -> None:
    """Each entry of the group is tried alone; the bad one keeps its mark and no more."""
    items = accept(desk)
    good, bad = entries_of(items)[:2]
    bad.events = [("command", 10**9, {})]
    before = len(snapshot()["events"])
    desk.ledger.commit_group([bad, good])
    after = snapshot()
    assert strokes == [2, 1, 1] and len(after["events"]) == before + 2
    assert [row["state"] for row in after["inbox"]] == ["done", "done", "new", "new"]
    assert after["users"][0]["total_messages"] == 1


def test_what_is_not_plain_goes_the_general_way(desk: Desk, strokes: list[int]) -> None:
    """A conversation, a kept payload or a row in another state needs more than a stroke."""
    items = accept(desk)
    items[3].state = "replying"
    others = [
        Entry(items[0], change=Change((7, 5, 5), None)),
        Entry(items[1], "unknown", "{}"),
        Entry(items[2], "failed"),
        Entry(items[3]),
    ]
    assert not any(map(stroke.is_plain, others))
    for other in others[:3]:
        desk.ledger.commit_group([Entry(items[3]), other])
    assert strokes == [] and [row.state for row in Row.select().order_by(Row.update_id)] == [
        "done",
        "unknown",
        "failed",
        "new",
    ]
