"""The audit page: what was done is found, checked and taken back by those who may."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bot.testing import ChatKit
from database import Database
from models import PluginSwitch, Role, Status, User
from services import audit, care, reverts, trail, users
from services.audit import Actor
from staff import AuditEntry, StaffRole
from tests.admin.conftest import Clock, Visit, make_admin
from tests.plans import statements, walks

ADA = Actor(1, "ada", "10.0.0.1")
PLUGINS = [Path(__file__).parents[1] / "bot" / "plugins"]


def ban(user: User, reason: str = "spam") -> AuditEntry:
    """Ban somebody, as the pages do."""
    care.ban(ADA, [user.id], StaffRole.OWNER, reason=reason)
    entry: AuditEntry = AuditEntry.select().order_by(AuditEntry.id.desc()).get()
    return entry


def words(text: str) -> str:
    """A page without its tags."""
    return re.sub(r"<[^>]+>|\s+", " ", text)


def test_a_new_log_says_what_it_is_for(visit: Visit) -> None:
    """Nothing was done yet; a filter that finds nothing says so."""
    browser = visit(StaffRole.ADMIN)
    assert "Nobody has changed anything yet" in browser.get("/audit/").text
    assert "No entry fits" in browser.get("/audit/?q=nothing").text


def test_an_entry_shows_who_did_what(visit: Visit) -> None:
    """Who, from where, what, to what, and each field before and after."""
    ban(User.create(telegram_id=7, first_name="Eve"))
    said = visit(StaffRole.ADMIN).get("/audit/").text
    assert "<del>active</del> → <ins>banned</ins>" in said and "<ins>given</ins>" in said
    assert "spam" not in said
    assert all(word in said for word in ("ada", "10.0.0.1", "user.ban", "user:1", "Revert"))


def test_filters_and_pages(visit: Visit) -> None:
    """Fifty entries a page; the older ones keep to what was asked for."""
    for number in range(60):
        audit.record(ADA, "user.note", f"user:{number % 2}", after={"n": number})
    browser = visit(StaffRole.ADMIN)
    first = browser.get("/audit/").text
    assert first.count('<tr id="entry-') == 50
    older = re.search(r'href="([^"]*before=\d+)"', first)
    assert older and browser.get(older[1]).text.count('<tr id="entry-') == 10
    assert browser.get("/audit/?target=user:1").text.count('<tr id="entry-') == 30
    assert browser.get("/audit/?admin=1&action=user.note&q=ada").text.count("entry-") == 50
    assert "before=" not in browser.get("/audit/?target=user:1").text
    assert browser.get("/audit/?admin=&action=&target=&day=&q=").status_code == 200


@pytest.mark.parametrize(
    "query",
    [
        *("admin=abc", "admin=-1", "admin=99999999999", "admin=%D9%A1", "before=-1", "before=1e3"),
        *("before=99999999999999999999", "day=yesterday", "day=0001-01-01", "day=9999-12-31"),
        *("q=%00", "target=%00", "action=a%00"),
    ],
)
def test_bad_filters_are_bad_requests(visit: Visit, query: str) -> None:
    """What no entry can have is refused in a sentence, and not by the database."""
    assert visit(StaffRole.ADMIN).get(f"/audit/?{query}").status_code == 400


@pytest.mark.parametrize(
    "query", ["q=%F0%9F%92%A5", "q=%ED%A0%80", "q='%22%3B--", "target=%25", "q=x&q=y"]
)
def test_odd_words_find_nothing(visit: Visit, query: str) -> None:
    """Whatever is typed is looked for as it is."""
    answer = visit(StaffRole.ADMIN).get(f"/audit/?{query}")
    assert answer.status_code == 200 and "No entry fits" in answer.text


def test_what_people_wrote_is_text(visit: Visit) -> None:
    """A reason, a target and a name with tags in them are shown, not run."""
    evil = "<img src=x onerror=alert(1)>"
    audit.record(Actor(1, evil, evil), evil, evil, {evil: evil}, {evil: "x"})
    for query in ("", f"?action={evil}", f"?q={evil}"):
        page = visit(StaffRole.ADMIN).get(f"/audit/{query}").text
        assert "<img src=x" not in page and "&lt;img src=x" in page


def test_taking_back_is_done_and_written_down(visit: Visit) -> None:
    """The ban ends, a new entry says who ended it, and the old one offers it no more."""
    user = User.create(telegram_id=7, first_name="Eve")
    entry = ban(user)
    browser = visit(StaffRole.ADMIN)
    answer = browser.post_form(f"/audit/{entry.id}/revert", "/audit/")
    assert answer.status_code == 302 and answer.location == "/audit/"
    assert User.get_by_id(user.id).status == Status.ACTIVE
    made = AuditEntry.select().order_by(AuditEntry.id.desc()).get()
    assert (made.actor, made.action, made.reverts) == ("admin", "user.unban", entry.id)
    page = browser.get("/audit/").text
    assert "taken back by" in page and f"/audit/{entry.id}/revert" not in page
    assert f"/audit/{made.id}/revert" in page and audit.verify() is None


def test_a_switch_is_back_at_once(visit: Visit) -> None:
    """The panel's own look at the switches follows in the same moment."""
    PluginSwitch.create(plugin="ping", enabled=False)
    entry = audit.record(ADA, "plugin.switch", "plugin:ping", {"enabled": True}, {"enabled": False})
    visit(StaffRole.ADMIN).post_form(f"/audit/{entry.id}/revert", "/audit/")
    assert PluginSwitch.get().enabled


def test_a_refusal_is_a_sentence(visit: Visit) -> None:
    """What was changed since, and what needs a higher role, stays; the page says why."""
    user = User.create(telegram_id=7, first_name="Eve")
    entry = ban(user)
    users.unban(User.get_by_id(user.id))
    browser = visit(StaffRole.ADMIN)
    browser.post_form(f"/audit/{entry.id}/revert", "/audit/")
    assert "It was changed since" in words(browser.get("/audit/").text)
    boss = make_admin(StaffRole.OWNER)
    role = audit.record(
        ADA, "admin.role", f"admin:{boss.id}", {"role": "viewer"}, {"role": "owner"}
    )
    browser.post_form(f"/audit/{role.id}/revert", "/audit/")
    assert "needs the role owner; yours is admin" in words(browser.get("/audit/").text)
    browser.post_form(f"/audit/{2**62}/revert", "/audit/")
    assert "There is no such entry" in words(browser.get("/audit/").text)
    assert AuditEntry.select().where(AuditEntry.reverts.is_null(False)).count() == 0


@pytest.mark.parametrize("number", ["0", "-1", "abc", "9" * 40])
def test_no_entry_has_such_a_number(visit: Visit, number: str) -> None:
    """Numbers that no entry can have are not found, or found not to be there."""
    browser = visit(StaffRole.ADMIN)
    answer = browser.post_form(f"/audit/{number}/revert", "/audit/")
    assert answer.status_code in (302, 404)
    assert AuditEntry.select().count() == 0


def test_taking_back_asks_for_the_password_after_a_while(visit: Visit, clock: Clock) -> None:
    """An old session does not undo roles; and nothing is done without the form's token."""
    user = User.create(telegram_id=7, first_name="Eve")
    entry = ban(user)
    browser = visit(StaffRole.ADMIN)
    assert browser.post(f"/audit/{entry.id}/revert").status_code == 400
    token = browser.token("/audit/")
    clock.pass_(minutes=11)
    answer = browser.post(f"/audit/{entry.id}/revert", data={"csrf_token": token})
    assert answer.status_code == 302 and answer.location.startswith("/confirm")
    assert User.get_by_id(user.id).status == Status.BANNED


def test_the_chain_is_checked_on_demand(visit: Visit) -> None:
    """Part by part, each in bounded time; a break is named."""
    for number in range(3):
        audit.record(ADA, "x", str(number))
    browser = visit(StaffRole.ADMIN)
    whole = {"last": 3, "seen": 3, "broken": None, "over": True}
    assert browser.get("/audit/verify").get_json() == whole
    assert browser.get("/audit/verify?after=2").get_json() == whole | {"seen": 1}
    AuditEntry.update(actor="eve").where(AuditEntry.id == 2).execute()
    assert browser.get("/audit/verify").get_json()["broken"] == 2
    assert browser.get("/audit/verify?after=abc").status_code == 400
    assert "Check the chain" in browser.get("/audit/").text


def test_the_page_is_cheap(visit: Visit, database: Database) -> None:
    """Session, entries, what of them was taken back, accounts and kinds: five questions."""
    for number in range(5):
        ban(User.create(telegram_id=number, first_name="Eve"))
    browser = visit(StaffRole.ADMIN)
    with statements() as run:
        browser.get("/audit/?action=user.ban")
    assert len([sql for sql, _ in run if "SELECT" in sql]) == 5
    assert walks(database, run, small={"admins"}) == set()


def test_every_kind_that_can_be_taken_back_has_its_button(visit: Visit) -> None:
    """The page offers exactly what the registry knows how to undo."""
    for action in [*reverts.REGISTRY, "sign_in"]:
        audit.record(ADA, action, "user:1", {"x": 1}, {"x": 2})
    page = visit(StaffRole.ADMIN).get("/audit/").text
    assert page.count(">Revert</button>") == len(reverts.REGISTRY)
    assert trail.actions() == sorted([*reverts.REGISTRY, "sign_in"])


def test_a_ban_that_is_taken_back_is_seen_in_the_chat(visit: Visit, database: Database) -> None:
    """Banned: no answer. Taken back from the audit log: the next message is answered."""
    with ChatKit(PLUGINS, database=database) as kit:
        assert kit.bob.send("/ping") == ["pong"]
        entry = ban(User.get(telegram_id=1002))
        assert kit.bob.send("/ping") == []
        visit(StaffRole.ADMIN).post_form(f"/audit/{entry.id}/revert", "/audit/")
        assert kit.bob.send("/ping") == ["pong"]
        assert User.get(telegram_id=1002).role == Role.USER
