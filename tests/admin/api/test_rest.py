"""The rest of the API: events, numbers, plugins, settings, failures, messages and health."""

from __future__ import annotations

from datetime import timedelta

from flask import Flask

from admin.panel import Panel
from bot.registry import Failure as Broken
from database import now
from models import AnalyticsEvent, Bot, Failure, Inbox, Lease, User
from services import audit, plugins
from staff import Admin, AuditEntry, DailyFigure, Message, StaffRole
from tests.admin.api.conftest import BOT, Call
from tests.admin.conftest import Clock

SETTINGS = "/api/v1/plugins/notes/settings"


def entries(action: str) -> list[tuple[str, object, object]]:
    """What the audit log says of an action."""
    rows = AuditEntry.select().where(AuditEntry.action == action).order_by(AuditEntry.id)
    assert audit.verify() is None
    return [(row.target, row.before, row.after) for row in rows]


def test_events_are_told_newest_first(call: Call, world: list[User]) -> None:
    """Page by page in the order of time, also when many happened at one moment."""
    at = now()
    for number in range(7):
        AnalyticsEvent.create(event_type="burst", user=None, data=[number], created_at=at)
    client, seen, more = call(StaffRole.VIEWER), [], ""
    for _ in range(4):
        page = client.get(f"/api/v1/events?limit=3{more}").json
        seen += page["items"]
        more = f"&cursor={page['next']}"
    assert page["next"] is None
    assert [each["data"] for each in seen[:7]] == [[number] for number in reversed(range(7))]
    assert [each["data"] for each in seen[7:]] == [None, *[{"command": "start"}] * 4]
    assert [each["id"] for each in seen[7:]] == sorted(each["id"] for each in seen[7:])


def test_a_persons_events_are_told_in_the_order_of_their_ids(
    call: Call, world: list[User], clock: Clock
) -> None:
    """Page by page, each once, also when a clock that was set back gave them their times."""
    person, client, seen = world[1], call(), list[int]()
    more: str | None = ""
    for minute in (3, 1, 2, 5, 4):
        at = clock() - timedelta(minutes=minute)
        AnalyticsEvent.create(event_type="burst", user=person, created_at=at)
    while more is not None:
        page = client.get(f"/api/v1/events?limit=2&user_id={person.id}{more}").json
        seen += [each["id"] for each in page["items"]]
        more = page["next"] and f"&cursor={page['next']}"
    theirs = AnalyticsEvent.select().where(AnalyticsEvent.user == person)
    assert seen == [each.id for each in theirs.order_by(AnalyticsEvent.id.desc())]
    assert len(seen) >= 5


def test_events_are_found_by_type_person_and_time(
    call: Call, world: list[User], clock: Clock
) -> None:
    """From a time on, and before one; half an hour is told by its offset."""
    AnalyticsEvent.create(event_type="joined", user=world[1], created_at=clock())
    client = call()
    start = (clock() - timedelta(minutes=2)).isoformat() + "Z"
    for query, count in (
        ("type=joined", 1),
        ("type=nothing", 0),
        (f"user_id={world[0].id}", 5),
        (f"user_id={world[0].id}&since={start}", 3),
        (f"user_id={world[0].id}&until={start}", 2),
        ("since=9999-12-31T23:59:59-05:00", 0),
        ("cursor=0-0", 0),
        (f"cursor={'f' * 13}-{'f' * 15}", 6),
    ):
        assert len(client.get(f"/api/v1/events?{query}").json["items"]) == count, query


def test_the_numbers_come_from_the_daily_figures(
    call: Call, world: list[User], clock: Clock
) -> None:
    """Days without a number are left out; older ones are told when they are asked for."""
    old = clock().date() - timedelta(days=40)
    DailyFigure.create(day=old, name="messages", value=3)
    User.update(last_activity_at=clock() - timedelta(days=3)).execute()
    client = call(StaffRole.VIEWER)
    told = client.get("/api/v1/stats").json
    assert told["active"] == {"day": 0, "week": 3, "month": 3}
    assert told["days"] == [{"day": str(clock().date()), "figures": {"messages": 12}}]
    DailyFigure.create(day=old, name="active.week", value=99)
    DailyFigure.create(day=clock().date(), name="active.day", value=2)
    assert client.get("/api/v1/stats").json["active"] == {"day": 2, "week": 3, "month": 3}
    DailyFigure.delete().where(DailyFigure.name.startswith("active.")).execute()
    days = client.get("/api/v1/stats?days=41").json["days"]
    assert [each["day"] for each in days] == [str(old), str(clock().date())]


def test_plugins_are_listed_also_those_that_are_broken(
    call: Call, world: list[User], panel: Panel
) -> None:
    """With what is wrong with them, but not the traceback."""
    path = panel.settings.plugins_path[0]
    panel.registry.failures.append(Broken("games", path, "No module named x.", "Traceback"))
    client = call(StaffRole.VIEWER)
    games, notes = client.get("/api/v1/plugins").json["items"]
    assert (games["name"], games["loaded"], games["trouble"]) == (
        "games",
        False,
        "No module named x.",
    )
    assert notes == client.get("/api/v1/plugins/notes").json
    assert (notes["description"], notes["enabled"]) == ("Keep notes.", True)
    assert client.get("/api/v1/plugins/other").status_code == 404
    answer = call().patch("/api/v1/plugins/games", json={"enabled": True})
    assert answer.status_code == 409


def test_a_plugin_is_switched(call: Call, world: list[User], panel: Panel, clock: Clock) -> None:
    """Everywhere, which also ends a suspension, or in one chat; each with its entry."""
    client, path = call(StaffRole.ADMIN), "/api/v1/plugins/notes"
    plugins.suspend("notes", plugins.Rest(clock(), 1, "KeyError", ""))
    assert client.get(path).json["trouble"] == "KeyError"
    assert client.patch(path, json={"enabled": False}).json["enabled"] is False
    assert client.patch(path, json={"enabled": True}).json["trouble"] is None
    assert client.patch(path, json={"enabled": False, "chat_id": -5}).json["enabled"] is True
    assert not panel.switches.on("notes", -5)
    assert [target for target, *_ in entries("plugin.switch")] == [
        "plugin:notes",
        "plugin:notes",
        "plugin:notes@-5",
    ]
    bodies: list[dict[str, object]] = [
        {},
        {"enabled": 1},
        {"enabled": "true"},
        {"enabled": True, "chat_id": 2**63},
    ]
    for wrong in bodies:
        assert client.patch(path, json=wrong).status_code == 422, wrong
    assert client.patch("/api/v1/plugins/x", json={"enabled": True}).status_code == 404


def test_settings_are_told_as_they_are_declared(call: Call, world: list[User]) -> None:
    """By kind, choices and default, with the value in force."""
    told = {each["key"]: each for each in call().get(SETTINGS).json["items"]}
    assert told["limit"] == {
        "key": "limit",
        "help": "How many notes.",
        "kind": "integer",
        "choices": None,
        "default": 20,
        "value": 20,
        "secret": False,
        "changed": False,
    }
    assert (told["style"]["choices"], told["loud"]["kind"]) == (["plain", "rich"], "boolean")
    assert call(name="more").get("/api/v1/plugins/x/settings").status_code == 404


def test_a_setting_takes_what_fits_it(call: Call, world: list[User], panel: Panel) -> None:
    """Of its kind, among its choices, finite, and no longer than a text may be."""
    client = call(StaffRole.ADMIN)
    for key, value in (
        ("limit", 5),
        ("ratio", 2),
        ("ratio", 0.25),
        ("loud", False),
        ("style", "rich"),
    ):
        answer = client.put(f"{SETTINGS}/{key}", json={"value": value})
        assert answer.status_code == 200 and answer.json["value"] == value, key
        assert answer.json["changed"] is True
    for key, value in (
        ("limit", 5.5),
        ("limit", True),
        ("limit", "5"),
        ("limit", 10**30),
        ("loud", 1),
        ("style", "bold"),
        ("key", "x" * 4097),
        ("key", "a\0b"),
    ):
        answer = client.put(f"{SETTINGS}/{key}", json={"value": value})
        assert answer.status_code == 409 and f"notes.{key}" in answer.json["detail"], (key, value)
    body = {"data": '{"value": NaN}', "content_type": "application/json"}
    assert client.put(f"{SETTINGS}/ratio", **body).status_code == 409
    odd: list[dict[str, object]] = [
        {},
        {"value": None},
        {"value": [1]},
        {"value": {}},
        {"value": 1, "x": 1},
    ]
    for each in odd:
        assert client.put(f"{SETTINGS}/limit", json=each).status_code == 422, each
    assert client.put(f"{SETTINGS}/nothing", json={"value": 1}).status_code == 404
    assert panel.registry.plugins["notes"].settings["limit"]() == 5
    assert client.delete(f"{SETTINGS}/limit").json["value"] == 20
    assert panel.registry.plugins["notes"].settings["limit"]() == 20
    made = entries("plugin.setting")
    assert made[0] == ("plugin:notes.limit", {"value": 20}, {"value": 5})
    assert made[-1] == ("plugin:notes.limit", {"value": 5}, {"value": 20})


def test_a_secret_setting_is_written_and_never_read(
    call: Call, world: list[User], panel: Panel
) -> None:
    """Neither by the API nor in the log; it is in force nevertheless."""
    client, path = call(), f"{SETTINGS}/key"
    answer = client.put(path, json={"value": "hunter-two"})
    assert (answer.json["value"], answer.json["changed"]) == (None, True)
    wrong = client.put(path, json={"value": "hunter-two\0"})
    told = answer.text + wrong.text + client.get(SETTINGS).text + client.get(path).text
    assert "hunter" not in told and "hunter" not in repr(entries("plugin.setting"))
    assert panel.registry.plugins["notes"].settings["key"]() == "hunter-two"


def test_failures_are_listed_and_told_whole(call: Call, world: list[User]) -> None:
    """The list is short; one of them has its traceback and the update."""
    client = call(StaffRole.VIEWER)
    page = client.get("/api/v1/failures?limit=1&state=open").json
    assert [each["update_id"] for each in page["items"]] == [2] and page["next"]
    rest = client.get(f"/api/v1/failures?limit=1&cursor={page['next']}").json
    assert [each["update_id"] for each in rest["items"]] == [1] and rest["next"] is None
    assert "traceback" not in page["items"][0]
    whole = client.get(f"/api/v1/failures/{page['items'][0]['id']}").json
    assert whole["traceback"] == "Traceback …" and whole["telegram_user_id"] == 100
    assert client.get("/api/v1/failures?fingerprint=x").json["items"] == []


def test_a_failure_is_replayed_or_dismissed_once(call: Call, world: list[User]) -> None:
    """Its update waits again, or is dropped; a second time is a conflict."""
    client = call(StaffRole.OPERATOR)
    first, second = Failure.select().order_by(Failure.id)
    replay, dismiss = (
        f"/api/v1/failures/{first.id}/replay",
        f"/api/v1/failures/{second.id}/dismiss",
    )
    assert client.post(replay).json["state"] == "replayed"
    assert Inbox.get(Inbox.update_id == 1).state == "queued"
    dismissed = client.post(dismiss).json
    assert (dismissed["state"], dismissed["payload"]) == ("dismissed", None)
    assert client.post(replay).status_code == client.post(dismiss).status_code == 409
    assert client.post("/api/v1/failures/999/replay").status_code == 404
    assert [target for target, *_ in entries("failure.replay")] == [f"failure:{first.id}"]
    assert len(entries("failure.dismiss")) == 1


def test_a_message_is_queued_for_the_bot(call: Call, world: list[User]) -> None:
    """In the owner's name, and without the text in the log; one may ask what became of it."""
    client = call(StaffRole.OPERATOR)
    answer = client.post("/api/v1/messages", json={"user_id": world[0].id, "text": "Hello *you*"})
    assert answer.status_code == 202 and answer.json["state"] == "queued"
    row = Message.get()
    assert (row.bot_id, row.chat_id, row.text, row.user_id) == (
        BOT,
        100,
        "Hello *you*",
        world[0].id,
    )
    assert Admin.get_by_id(row.admin_id).name == "operator"
    (entry,) = entries("message.send")
    assert entry[0] == f"user:{world[0].id}" and "Hello" not in repr(entry)
    Message.update(state="failed", error="Forbidden").execute()
    told = client.get(f"/api/v1/messages/{row.id}").json
    assert (told["state"], told["error"]) == ("failed", "Forbidden")
    assert client.get("/api/v1/messages/999").status_code == 404


def test_a_message_that_cannot_be_sent_is_refused(call: Call, world: list[User]) -> None:
    """To nobody, by no bot of ours, by one of several, too long, or of blanks alone."""
    client, mine = call(), {"user_id": world[0].id}
    for body, code in (
        ({"user_id": 999, "text": "x"}, 404),
        ({**mine, "text": "x", "bot_id": 8}, 404),
        ({**mine, "text": " \n"}, 409),
        ({**mine, "text": "\U0001f600" * 2049}, 409),
        ({**mine, "text": "x" * 4097}, 422),
        ({**mine, "text": ""}, 422),
        ({**mine, "text": "a\0b"}, 422),
        ({**mine, "text": "x", "chat_id": 5}, 422),
        ({**mine, "text": "x", "admin_id": 5}, 422),
        ({"user_id": "1", "text": "x"}, 422),
        ({"user_id": True, "text": "x"}, 422),
        ({"user_id": 1.5, "text": "x"}, 422),
        (mine, 422),
    ):
        assert client.post("/api/v1/messages", json=body).status_code == code, body
    Bot.create(id=8, username="b_bot", name="B")
    assert client.post("/api/v1/messages", json={**mine, "text": "x"}).status_code == 409
    answer = client.post("/api/v1/messages", json={**mine, "text": "x", "bot_id": 8})
    assert answer.status_code == 202 and Message.select().count() == 1


def test_health_is_told(
    own_app: Flask, call: Call, world: list[User], panel: Panel, clock: Clock
) -> None:
    """What waits and since when, who fetches updates, and what the plugins say."""
    client = call(StaffRole.VIEWER)
    told = client.get("/api/v1/health").json
    assert (told["inbox"], told["oldest_seconds"], told["failures"]) == (0, 0, 2)
    assert told["pollers"] == [] and told["plugins"] == {}
    Inbox.create(bot_id=BOT, update_id=9, lane=1, kind="message", state="new", received_at=clock())
    Lease.create(name="poller:7", owner="a", fence=1, beats=1, updated_at=clock())
    clock.pass_(seconds=20)
    told = client.get("/api/v1/health").json
    assert (told["inbox"], told["oldest_seconds"]) == (1, 20)
    assert told["pollers"] == [{"bot_id": 7, "state": "silent", "seconds": 20}]
    panel.registry.plugins["notes"].hooks["health"] = lambda: "no disk"
    told = client.get("/api/v1/health").json
    assert told["plugins"] == {"notes": "no disk"}
    panel.switches.set("notes", False)
    assert client.get("/api/v1/health").json["plugins"] == {}
