"""People in the API: listed page by page, changed, given out and erased, with a trace of it."""

from __future__ import annotations

import json
from pathlib import Path

from admin.panel import Panel
from bot.registry import Failure as Broken
from database import Database
from models import AnalyticsEvent, Ban, Erasure, Status, User
from services import audit
from services.cache import open_cache
from services.scopes import Scope
from settings import Secret, Settings
from staff import AuditEntry, StaffRole
from tests.admin.api.conftest import Call

USERS = "/api/v1/users"


def names(answer: object) -> list[str]:
    """The first names of a page."""
    return [each["first_name"] for each in answer.json["items"]]  # type: ignore[attr-defined]


def test_a_person_is_told_whole(call: Call, world: list[User]) -> None:
    """Every column that the team may see, with times that say where they are."""
    told = call(StaffRole.VIEWER).get(f"{USERS}/{world[1].id}").json
    assert told["telegram_id"] == 101 and told["username"] == "Bob" and told["role"] == "user"
    assert told["status"] == "active" and told["referrer_id"] is None
    assert told["created_at"].endswith("Z") and told["last_activity_at"] is None


def test_pages_follow_each_other_without_a_gap(call: Call, world: list[User]) -> None:
    """Newest first; who comes meanwhile is on no later page, and nobody is on two."""
    client, seen, cursor = call(), [], ""
    for number in range(20):
        User.create(telegram_id=1000 + number, first_name=str(number))
    for turn in range(10):
        page = client.get(f"{USERS}?limit=5{cursor}")
        seen += names(page)
        User.create(telegram_id=2000 + turn, first_name="late")
        if page.json["next"] is None:
            break
        cursor = f"&cursor={page.json['next']}"
    assert seen == [*map(str, reversed(range(20))), "Cem", "Bob", "Ann"]


def test_the_last_page_has_no_next(call: Call, world: list[User]) -> None:
    """Also when it is full, and when there is nothing."""
    client = call()
    assert client.get(f"{USERS}?limit=3").json["next"] is None
    assert client.get(f"{USERS}?limit=2").json["next"] is not None
    assert client.get(f"{USERS}?cursor=1").json == {"items": [], "next": None}
    assert names(client.get(f"{USERS}?cursor={'f' * 15}")) == ["Cem", "Bob", "Ann"]


def test_people_are_found_by_what_is_asked(call: Call, world: list[User]) -> None:
    """Each filter, and several at once; a name in any case, and with its @."""
    ann, bob, _ = world
    User.update(role="admin").where(User.id == ann.id).execute()
    User.update(status="banned", referrer=ann.id).where(User.id == bob.id).execute()
    client = call()
    for query, found in (
        ("role=admin", ["Ann"]),
        ("status=banned", ["Bob"]),
        ("status=active&role=user", ["Cem"]),
        ("username=aNN", ["Ann"]),
        ("username=@bob", ["Bob"]),
        ("telegram_id=102", ["Cem"]),
        (f"referrer_id={ann.id}", ["Bob"]),
        ("username=' OR 1=1 --", []),
        ("username=%25", []),
        ("q=cem", ["Cem"]),
        ("q=%40bob", ["Bob"]),
        ("q=100", ["Ann"]),
        ("q=%27%22%25_%5C", []),
        ("language=ru", []),
        ("source=ad", []),
    ):
        assert names(client.get(f"{USERS}?{query}")) == found, query


def test_a_ban_is_made_and_ended(call: Call, world: list[User]) -> None:
    """With its reason, by an operator; both are in the audit log, before and after."""
    client, ann = call(StaffRole.OPERATOR), world[0]
    path = f"{USERS}/{ann.id}"
    answer = client.patch(path, json={"status": "banned", "reason": "spam"})
    assert answer.status_code == 200 and answer.json["status"] == "banned"
    assert Ban.get().reason == "spam" and Ban.get().by is None
    assert client.patch(path, json={"status": "banned"}).status_code == 200  # nothing to do
    assert client.patch(path, json={"status": "active"}).json["status"] == "active"
    assert not Ban.select().exists()
    log = [
        (each.action, each.target, each.before["status"], each.after["status"])
        for each in AuditEntry.select()
        .where(AuditEntry.action.startswith("user."))
        .order_by(AuditEntry.id)
    ]
    target = f"user:{ann.id}"
    assert log == [
        ("user.ban", target, "active", "banned"),
        ("user.unban", target, "banned", "active"),
    ]
    assert audit.verify() is None


def test_somebody_who_blocked_the_bot_can_be_active_again(call: Call, world: list[User]) -> None:
    """The status that was their own act is set back when the team knows better."""
    User.update(status=Status.BLOCKED).where(User.id == world[0].id).execute()
    answer = call().patch(f"{USERS}/{world[0].id}", json={"status": "active"})
    assert answer.json["status"] == "active"


def test_a_role_takes_a_scope_of_its_own(call: Call, world: list[User]) -> None:
    """And who owns the bot is for owners of the panel to say."""
    path = f"{USERS}/{world[0].id}"
    operator = call(StaffRole.OPERATOR)
    assert operator.patch(path, json={"role": "moderator"}).status_code == 403
    assert operator.patch(path, json={"language": "ru", "role": "admin"}).status_code == 403
    assert User.get_by_id(world[0].id).language == "en"
    without = call(StaffRole.OWNER, Scope.USERS_READ, Scope.USERS_WRITE, name="some")
    assert without.patch(path, json={"role": "moderator"}).status_code == 403
    admin = call(StaffRole.ADMIN)
    assert admin.patch(path, json={"role": "admin"}).json["role"] == "admin"
    assert admin.patch(path, json={"role": "owner"}).status_code == 403
    for change in ({"status": "banned"}, {"language": "ru"}):  # one who has a role in the bot
        assert operator.patch(path, json=change).status_code == 403
    owner = call(StaffRole.OWNER)
    assert owner.patch(path, json={"role": "owner"}).json["role"] == "owner"
    assert admin.patch(path, json={"role": "user"}).status_code == 403
    assert admin.post(f"{path}/erase").status_code == 403
    assert owner.patch(f"{USERS}/999", json={"role": "user"}).status_code == 404


def test_who_has_a_role_in_the_bot_is_for_those_who_may_give_it(
    call: Call, world: list[User]
) -> None:
    """As in the panel: an operator's token bans no admin of the bot, and nothing is left of it."""
    ann = world[0]
    User.update(role="admin").where(User.id == ann.id).execute()
    operator, path = call(StaffRole.OPERATOR), f"{USERS}/{ann.id}"
    for change in ({"status": "banned"}, {"language": "ru"}):
        answer = operator.patch(path, json=change)
        assert answer.status_code == 403 and "this needs the role admin" in answer.json["detail"]
    assert User.get_by_id(ann.id).status == "active" and not Ban.select().exists()
    both = {"status": "banned", "role": "owner"}
    assert call(StaffRole.ADMIN).patch(path, json=both).status_code == 403
    assert User.get_by_id(ann.id).status == "active"
    admin = call(StaffRole.ADMIN, name="another")
    assert admin.patch(path, json={"status": "banned"}).json["status"] == "banned"


def test_a_broken_plugin_holds_an_erasure_up(call: Call, world: list[User], panel: Panel) -> None:
    """As on the person's page: what it holds would stay."""
    panel.registry.failures.append(Broken("shop", Path("shop.py"), "SyntaxError", ""))
    answer = call().post(f"{USERS}/{world[0].id}/erase")
    assert answer.status_code == 409 and "shop could not be loaded" in answer.json["detail"]
    assert User.get_by_id(world[0].id).first_name == "Ann"


def test_a_change_without_an_entry_does_not_come_about(
    call: Call, world: list[User], database: Database
) -> None:
    """Both are written in one transaction: where the log cannot be written nothing is changed."""
    client = call()
    database.execute_sql("ALTER TABLE audit RENAME TO audit_away")
    try:
        answer = client.patch(f"{USERS}/{world[0].id}", json={"status": "banned"})
    finally:
        database.execute_sql("ALTER TABLE audit_away RENAME TO audit")
    assert answer.status_code == 500
    assert User.get_by_id(world[0].id).status == "active" and not Ban.select().exists()


def test_an_export_has_all_and_leaves_a_trace(call: Call, world: list[User]) -> None:
    """The core's tables and the plugins' answers; that it was given out is in the log."""
    path = f"{USERS}/{world[0].id}/export"
    assert call(StaffRole.OPERATOR).post(path).status_code == 403
    answer = call(StaffRole.ADMIN).post(path)
    held = json.loads(answer.text)
    assert answer.content_type == "application/json"
    assert len(held["core"]["analytics_events"]) == 5 and len(held["core"]["failures"]) == 2
    assert held["plugins"] == {"notes": ["a note of Ann"]}
    assert AuditEntry.get(AuditEntry.action == "user.export").target == f"user:{world[0].id}"


def test_somebody_is_erased_everywhere(call: Call, world: list[User]) -> None:
    """With a receipt; afterwards there is nobody, and the log names nobody."""
    client, path = call(StaffRole.ADMIN), f"{USERS}/{world[0].id}"
    receipt = client.post(f"{path}/erase").json
    assert receipt["plugins"] == {"notes": 1} and receipt["failed"] == {}
    assert receipt["tables"]["users"] == 1 and receipt["rows"] > 5
    assert client.get(path).status_code == 404 and client.post(f"{path}/erase").status_code == 404
    assert not AnalyticsEvent.select().where(AnalyticsEvent.user.is_null(False)).exists()
    assert Erasure.select().count() == 1  # by which the bot learns of it
    entry = AuditEntry.get(AuditEntry.action == "user.erase")
    said = repr({**entry.__data__, "previous": "", "digest": "", "at": ""})
    assert "Ann" not in said and "100" not in said


def test_what_the_cache_holds_on_somebody_is_erased_too(
    call: Call, world: list[User], panel: Panel, redis_url: str
) -> None:
    """With Redis, in every process at once."""
    panel.settings = Settings(secret_key=panel.settings.secret_key, redis_url=Secret(redis_url))
    cache = open_cache(redis_url)
    cache.set("card:100", {"name": "Ann"})
    cache.set("other", {"name": "Zoe"})
    assert call().post(f"{USERS}/{world[0].id}/erase").status_code == 200
    assert cache.get("card:100") is None and cache.get("other") == {"name": "Zoe"}


def test_one_who_cannot_be_erased_stays_whole(
    call: Call, world: list[User], database: Database
) -> None:
    """A row of a plugin that still points at them is named, and nothing is lost."""
    database.execute_sql(
        "CREATE TABLE notes_debt (id INTEGER, user_id INTEGER REFERENCES users (id))"
    )
    try:
        database.execute_sql(f"INSERT INTO notes_debt VALUES (1, {world[0].id})")
        answer = call().post(f"{USERS}/{world[0].id}/erase")
    finally:
        database.execute_sql("DROP TABLE notes_debt")
    assert answer.status_code == 409 and "delete_user" in answer.json["detail"]
    assert User.get_by_id(world[0].id).first_name == "Ann"
    assert AnalyticsEvent.select().where(AnalyticsEvent.user == world[0].id).count() == 5
    assert not AuditEntry.select().where(AuditEntry.action == "user.erase").exists()
