"""The inbox: nothing is taken twice, nothing is lost, and odd updates harm nobody."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import peewee
import pytest

from bot.inbox import Inbox
from bot.lease import Fenced, Lease
from bot.raw import kind_of, lane_of, sender_of
from database import Database, db
from models import Chat, User
from models import Inbox as Row
from services.chats import Chats
from services.users import People
from tests.plans import explain, scans, statements

AT = datetime.fromisoformat("2026-05-01T12:00:00")


def message(number: int, person: int = 5, text: str = "hi", **more: Any) -> dict[str, Any]:
    chat = {"id": person, "type": "private", "first_name": "Ann"}
    sender = {"id": person, "is_bot": False, "first_name": "Ann", "language_code": "ru"}
    return {
        "update_id": number,
        "message": {"message_id": 1, "date": 1, "chat": chat, "from": sender, "text": text, **more},
    }


def make() -> Inbox:
    return Inbox(People(frozenset({9}), "en"), Chats(), clock=lambda: AT)


def test_a_batch_is_committed_with_its_senders(database: Database) -> None:
    """Accepted updates are in the table, in order, each with its user."""
    items = make().accept(7, [message(3, 6), message(2), message(1)])
    assert [item.update_id for item in items] == [1, 2, 3]
    assert [item.lane for item in items] == [5, 5, 6]
    assert items[0].user is items[1].user and items[0].user is not None
    assert items[0].user.language == "ru"
    assert User.select().count() == 2
    assert [row.state for row in Row.select()] == ["new"] * 3


def test_what_comes_again_is_recognised(database: Database) -> None:
    """A redelivered update is dropped, whatever its number, and after a restart too."""
    make().accept(7, [message(50), message(51)])
    assert [item.update_id for item in make().accept(7, [message(51), message(2)])] == [2]
    assert [item.update_id for item in make().accept(8, [message(51)])] == [51]


def test_a_batch_of_known_and_new_updates(database: Database) -> None:
    """The known ones stay as they are, the new ones are kept, whatever their order."""
    make().accept(7, [message(number) for number in (2, 4)])
    Row.update(state="done", payload=None, done_at=AT).where(Row.update_id == 2).execute()
    found = make().accept(7, [message(number, 6) for number in range(1, 6)])
    assert [item.update_id for item in found] == [1, 3, 5]
    rows = [(row.update_id, row.lane, row.state) for row in Row.select().order_by(Row.update_id)]
    assert rows == [(1, 6, "new"), (2, 5, "done"), (3, 6, "new"), (4, 5, "new"), (5, 6, "new")]


def test_a_batch_that_is_refused_leaves_nothing(database: Database) -> None:
    """When the transaction fails no part of it is kept, and the next try is complete."""
    inbox = make()
    group = {"id": -4, "type": "group", "title": "G"}
    bad = message(1) | {"message": {**message(1)["message"], "chat": group}}
    real = inbox.chats.meet
    inbox.chats.meet = lambda *_, **__: db.execute_sql("SELECT * FROM nothing")  # type: ignore[method-assign]
    with pytest.raises(peewee.PeeweeException):
        inbox.accept(7, [bad])
    inbox.chats.meet = real  # type: ignore[method-assign]
    assert not Row.select().count() and not Chat.select().count()
    assert len(inbox.accept(7, [bad])) == 1
    assert Row.select().count() == 1


def test_a_crash_leaves_open_rows_that_are_read_in_order(database: Database) -> None:
    """The next life finds the lanes that wait and reads each in order, with users."""
    make().accept(7, [message(1), message(2, 6), message(3)])
    inbox = make()
    assert sorted(inbox.waiting(7)) == [(7, 5), (7, 6)]
    items = inbox.load((7, 5), {1}, 10)
    assert [item.update_id for item in items] == [3]
    assert items[0].recovered and items[0].user is not None
    assert items[0].update["message"]["text"] == "hi"
    inbox.start(items[0])
    assert inbox.load((7, 5), set(), 10)[1].attempts == 1


def test_a_process_that_lost_the_lease_takes_nothing_in(database: Database) -> None:
    """A batch that was on its way when another one took over is left to that one."""
    one, two = (Lease("poller:7", owner=owner, dead=lambda _: True) for owner in "12")
    inbox = Inbox(People(frozenset(), "en"), Chats(), leases={7: one})
    one.step()
    assert inbox.accept(7, [message(1)])
    two.step()
    with pytest.raises(Fenced):
        inbox.accept(7, [message(2)])
    assert [row.update_id for row in Row.select()] == [1]


def test_updates_of_another_process_are_claimed_once(database: Database) -> None:
    """What was put in as `queued` becomes ours, and only once."""
    inbox = make()
    inbox.accept(7, [message(1)])
    Row.update(state="queued").execute()
    assert inbox.waiting(7) == []
    assert inbox.claim(7) == [(7, 5)]
    assert inbox.claim(7) == []
    assert inbox.waiting(7) == [(7, 5)]


def test_a_process_that_lost_its_lease_claims_nothing(database: Database) -> None:
    """It slept: what is queued is left to the one that has the lease by now."""
    lease = Lease("poller:7", owner="slept", dead=lambda owner: False)
    assert lease.step()
    inbox = make()
    inbox.leases = {7: lease}
    inbox.accept(7, [message(1)])
    Row.update(state="queued").execute()
    assert Lease("poller:7", owner="other", dead=lambda owner: True).step()
    with pytest.raises(Fenced):
        inbox.claim(7)
    assert Row.get().state == "queued"


def test_depth_and_age_of_the_inbox(database: Database) -> None:
    """The inbox tells how many updates are open and how old the oldest is, in seconds."""
    inbox = make()
    assert inbox.depth() == (0, 0.0)
    inbox.accept(7, [message(1), message(2)])
    inbox.clock = lambda: AT + timedelta(seconds=90)
    assert inbox.depth() == (2, 90.0)


def test_ids_are_forgotten_after_a_week(database: Database) -> None:
    """Ids stay seven days for recognition; open rows are never deleted."""
    inbox = make()
    inbox.accept(7, [message(1), message(2), message(3)])
    Row.update(done_at=AT - timedelta(days=8), state="done").where(Row.update_id == 1).execute()
    Row.update(done_at=AT - timedelta(days=6), state="done").where(Row.update_id == 2).execute()
    assert inbox.forget() == 1
    assert sorted(row.update_id for row in Row.select()) == [2, 3]


def test_a_row_is_read_again_until_it_is_done(database: Database) -> None:
    """After an outage the row tells whether the commit came through."""
    inbox = make()
    (item,) = inbox.accept(7, [message(1)])
    Row.update(state="replying", payload='{"calls": []}').execute()
    assert inbox.reload(item) and item.state == "replying" and item.update == {"calls": []}
    Row.update(state="done", done_at=AT).execute()
    assert not inbox.reload(item)


@pytest.mark.parametrize(
    "update",
    [
        {},
        {"update_id": "1"},
        {"update_id": 2**70, "message": {}},
        "text",
        None,
    ],
)
def test_what_has_no_usable_id_is_left_out(database: Database, update: Any) -> None:
    """An update without an id cannot be told apart, and takes no other with it."""
    assert [item.update_id for item in make().accept(7, [update, message(4)])] == [4]


@pytest.mark.parametrize(
    "update",
    [
        {"update_id": 1},
        {"update_id": 1, "message": None},
        {"update_id": 1, "message": []},
        {"update_id": 1, "\ud800\0": {"chat": {"id": 1}}},
        {"update_id": 1, "new_thing": {"x": 1}},
        {"update_id": 1, "message": {"chat": {"id": "a"}, "from": {"id": 2**70}}},
        {"update_id": 1, "message": {"chat": {"id": True}, "from": "x", "message": 3}},
        message(1, text="\ud800 \0 \U0001f600" * 1000),
        {"update_id": 1, "message": {"from": {"id": 4, "first_name": "\0\ud800", "username": 7}}},
        {"update_id": 1, "message": {"chat": {"id": -1, "type": "group", "title": "\0\ud83d"}}},
        {"update_id": 1, "message": {"chat": {"id": -1, "type": []}}},
    ],
)
def test_odd_updates_are_kept_like_any_other(database: Database, update: dict[str, Any]) -> None:
    """Whatever Telegram sends is accepted and read back the same."""
    inbox = make()
    (item, other) = inbox.accept(7, [update, message(2)])
    again = next(one for one in inbox.load(item.key, {2}, 10) if one.update_id == 1)
    assert again.update == update
    assert other.user is not None


@pytest.mark.parametrize(
    ("update", "kind", "lane"),
    [
        (message(1), "message", 5),
        (
            {"callback_query": {"from": {"id": 3}, "message": {"chat": {"id": -8}}}},
            "callback_query",
            -8,
        ),
        ({"inline_query": {"id": "9", "from": {"id": 3}}}, "inline_query", 3),
        ({"poll_answer": {"poll_id": "1", "user": {"id": 4}}}, "poll_answer", 4),
        ({"poll_answer": {"poll_id": "1", "voter_chat": {"id": -4}}}, "poll_answer", -4),
        ({"poll": {"id": "77"}}, "poll", 2930783343),
        ({"update_id": 4}, "", 0),
    ],
)
def test_lanes_go_by_chat_then_user_then_poll(update: dict[str, Any], kind: str, lane: int) -> None:
    """Taps share the lane of their chat; what has no chat goes by its user."""
    assert kind_of(update) == kind
    if kind == "poll":
        assert lane_of(update, kind) == lane_of(update, kind) > 0
    else:
        assert lane_of(update, kind) == lane


@pytest.mark.parametrize("odd", [["a"], {"a": "b"}, 7, True, None, "", 1.0])
def test_of_odd_names_nothing_is_kept(odd: object) -> None:
    """Whatever takes the place of a name, the person is known; what is too long is cut."""
    fine = {"username": "u", "first_name": "F", "last_name": "L", "language_code": "en"}
    kept: dict[str, object] = {**dict.fromkeys(fine), "first_name": ""}
    for name in fine:
        update = {"message": {"from": {"id": 5, **fine, name: odd}}}
        assert sender_of(update, "message") == (5, *{**fine, name: kept[name]}.values())
    long = {"id": 5, "username": "u" * 65, "first_name": "a\0b\ud800", "language_code": "x" * 17}
    found = (5, "u" * 64, "ab?", None, "x" * 16)
    assert sender_of({"message": {"from": long}}, "message") == found


def test_bots_and_channels_are_nobody() -> None:
    """Only people become users."""
    robot = {"message": {"from": {"id": 1, "is_bot": True}}}
    assert sender_of(robot, "message") is None
    assert sender_of({"channel_post": {"chat": {"id": -1}}}, "channel_post") is None
    assert sender_of({"poll": {"id": "1"}}, "poll") is None


def test_groups_are_kept_with_the_bots_membership(database: Database) -> None:
    """A group or channel is noted when it is named, renamed, or the bot's place in it changes."""
    inbox = make()
    chat = {"id": -5, "type": "supergroup", "title": "Team"}
    inbox.accept(7, [{"update_id": 1, "message": {"chat": chat}}])
    inbox.accept(7, [{"update_id": 2, "message": {"chat": {**chat, "title": "Crew"}}}])
    assert (Chat.get().title, Chat.get().membership) == ("Crew", "member")
    member = {"chat": chat, "new_chat_member": {"status": "kicked"}}
    inbox.accept(7, [{"update_id": 3, "my_chat_member": member}])
    assert (Chat.get().membership, Chat.select().count()) == ("kicked", 1)


def test_what_waits_is_found_without_what_is_done(database: Database) -> None:
    """However many ids of the week are kept: by the small index."""
    inbox = make()
    inbox.accept(7, [message(number) for number in range(1, 4)])
    Row.update(state="done", done_at=AT).where(Row.update_id < 3).execute()
    with statements() as run:
        assert [item.update_id for item in inbox.load((7, 5), set(), 10)] == [3]
        assert inbox.waiting(7) == [(7, 5)]
        assert inbox.claim(7) == []
        inbox.exonerate(7)
        inbox.depth()
    asked = [(sql, values) for sql, values in run if "inbox" in sql]
    assert len(asked) == 5
    if database.param == "%s":
        with database.atomic():
            database.execute_sql("SET LOCAL enable_seqscan = off")
            assert scans(database, asked, "inbox") == {"inbox_open"}
    else:
        plans = [explain(database, sql, values)[0] for sql, values in asked]
        assert all("INDEX inbox_open" in plan for plan in plans), plans


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_no_row_costs_sqlite_a_table(database: Database) -> None:
    """To look whether a row belongs into the index it makes none, as it would for a list."""
    sql = "UPDATE inbox SET state = 'done', done_at = 1 WHERE bot_id = 1 AND update_id = 2"
    codes = [row[1] for row in database.execute_sql(f"EXPLAIN {sql}").fetchall()]
    assert codes.count("OpenEphemeral") == 0, codes
