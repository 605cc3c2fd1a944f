"""Sign-in: set-up link, password, sessions, and what every answer carries."""

from __future__ import annotations

import re

import pytest
from flask import Flask

from services import audit, links, sessions
from staff import Admin, AuditEntry, Link, Session, StaffRole
from tests.admin.conftest import PASSWORD, Browser, Clock, Visit, make_admin


def sign_in(browser: Browser, name: str = "owner", password: str = PASSWORD) -> int:
    """Sign in by the form; the status of the answer."""
    return browser.post_form("/login", name=name, password=password).status_code


def test_the_first_owner_is_made_by_a_link_that_works_once(visit: Visit, clock: Clock) -> None:
    """The set-up link makes an account and signs it in; then nobody can use it again."""
    path = f"/setup/{links.set_up(clock())}"
    browser = visit(None)
    assert browser.post_form(path, name="ada", password="short").status_code == 400
    assert browser.post_form(path, name="ada", password=PASSWORD).location == "/"
    assert browser.get("/").status_code == 200
    assert [admin.role for admin in Admin.select()] == [StaffRole.OWNER]
    assert visit(None).get(path).status_code == 404
    assert PASSWORD not in repr(list(Admin.select().dicts()))


def test_a_set_up_link_is_over_after_an_hour_and_once_there_is_an_owner(
    visit: Visit, clock: Clock
) -> None:
    """An old link, an invented one and one for a panel that has an owner open nothing."""
    old = links.set_up(clock())
    clock.pass_(minutes=61)
    assert visit(None).get(f"/setup/{old}").status_code == 404
    assert visit(None).get("/setup/invented").status_code == 404
    fresh = links.set_up(clock())
    make_admin()
    assert visit(None).get(f"/setup/{fresh}").status_code == 404


def test_a_password_opens_the_panel(visit: Visit) -> None:
    """Name and password lead to the page that was asked for; a wrong one does not."""
    make_admin()
    browser = visit(None)
    assert browser.get("/").location == "/login?next=/"
    assert sign_in(browser, password="wrong wrong wrong") == 401
    assert sign_in(browser) == 302
    assert browser.get("/").status_code == 200


def test_an_unknown_name_a_wrong_password_and_a_closed_account_look_alike(visit: Visit) -> None:
    """The same page and the same status, so that nobody learns which names there are."""
    make_admin(name="closed")
    Admin.update(disabled=True).execute()
    make_admin()
    browser, answers = visit(None), []
    token = browser.token("/login")
    for name, password in (("nobody", PASSWORD), ("owner", "x" * 12), ("closed", PASSWORD)):
        fields = {"csrf_token": token, "name": name, "password": password}
        answer = browser.post("/login", data=fields)
        answers.append((answer.status_code, re.sub(r'value="[^"]*"', "", answer.text)))
    assert len(set(answers)) == 1 and answers[0][0] == 401


@pytest.mark.parametrize("next_", ["//evil", "/\\evil", "https:evil", "http://evil", "\t//evil"])
def test_the_way_on_stays_here(visit: Visit, next_: str) -> None:
    """A forged next leads to the overview."""
    make_admin()
    browser = visit(None)
    answer = browser.post_form("/login", name="owner", password=PASSWORD, next=next_)
    assert answer.location == "/"


def test_sign_out_ends_the_session_for_good(visit: Visit) -> None:
    """The cookie of a session that was ended opens nothing."""
    make_admin()
    browser = visit(None)
    sign_in(browser)
    cookie = browser.get_cookie("steadygram")
    assert cookie is not None
    browser.post_form("/logout", "/")
    browser.set_cookie("steadygram", cookie.value)
    assert browser.get("/").location == "/login?next=/"


@pytest.mark.parametrize("minutes", [31, 12 * 60 + 1])
def test_sessions_end_by_themselves(visit: Visit, clock: Clock, minutes: int) -> None:
    """After 30 idle minutes, and after twelve hours even when it is used."""
    browser = visit(StaffRole.VIEWER)
    passed, step = 0, minutes if minutes < 60 else 20
    while passed < minutes - step:
        clock.pass_(minutes=step)
        passed += step
        assert browser.get("/").status_code == 200
    clock.pass_(minutes=minutes - passed)
    assert browser.get("/").status_code == 302


def test_only_a_digest_of_the_cookie_is_kept(visit: Visit) -> None:
    """Who reads the database cannot sign in with what is there."""
    browser = visit(StaffRole.VIEWER)
    cookie = browser.get_cookie("steadygram")
    assert cookie is not None and cookie.value not in repr(list(Session.select().dicts()))


def test_nothing_is_changed_without_the_forms_token(visit: Visit) -> None:
    """A post from elsewhere is refused, also one to sign out or to sign in."""
    browser = visit(StaffRole.OWNER)
    assert browser.post("/logout").status_code == 400
    assert browser.post("/login", data={"name": "owner"}).status_code == 400
    assert Session.select().count() == 1


def test_every_answer_carries_the_headers(visit: Visit) -> None:
    """Pages, errors and files: what may be loaded is stated, and pages are not kept."""
    browser = visit(StaffRole.OWNER)
    for path in ("/", "/login", "/nothing-here", "/static/panel.css", "/setup/x"):
        with browser.get(path) as answer:
            headers = answer.headers
        policy = headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in policy and "'nonce-" in policy, path
        assert "unsafe-inline" not in policy.partition("script-src")[2].partition(";")[0]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert ("no-store" in headers.get("Cache-Control", "")) == ("static" not in path), path


def test_what_was_done_is_in_the_audit_log(visit: Visit, clock: Clock) -> None:
    """Who set the panel up, and who signed in, from where; the chain holds."""
    visit(None).post_form(f"/setup/{links.set_up(clock())}", name="ada", password=PASSWORD)
    done = [(entry.actor, entry.action, entry.address) for entry in AuditEntry.select()]
    assert done == [
        ("set-up link", "admin.create", "127.0.0.1"),
        ("ada", "sign_in", "127.0.0.1"),
    ]
    assert audit.verify() is None


def test_a_changed_entry_breaks_the_chain(app: Flask, clock: Clock) -> None:
    """An altered row, and one that is missing in the middle, are found."""
    actor = audit.Actor(1, "ada")
    for number in range(4):
        audit.record(
            actor,
            "user.ban",
            f"user:{number}",
            {"status": "active", "x": 1.5},
            {"at": clock()},
        )
    assert audit.verify() is None
    AuditEntry.update(target="user:9").where(AuditEntry.target == "user:2").execute()
    assert audit.verify() == 3
    AuditEntry.delete().where(AuditEntry.target == "user:9").execute()
    assert audit.verify() == 4


def test_used_links_and_old_sessions_are_swept(app: Flask, clock: Clock) -> None:
    """What nobody may use any more is not kept."""
    links.set_up(clock())
    sessions.begin(make_admin(), address="", agent="", at=clock())
    clock.pass_(hours=13)
    assert (links.sweep(clock()), sessions.sweep(clock())) == (1, 1)
    assert (Link.select().count(), Session.select().count()) == (0, 0)
