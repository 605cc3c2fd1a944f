"""The Admins page: owners manage the accounts, and each deed is in the audit log."""

from __future__ import annotations

import re
from typing import Any

import pytest
from werkzeug.test import TestResponse

from services import audit, sessions
from staff import Admin, AuditEntry, Session, StaffRole
from tests.admin.conftest import PASSWORD, Browser, Clock, Visit, give_totp, make_admin


def act(browser: Browser, deed: str, **fields: Any) -> TestResponse:
    """Do something to an account, as the page's buttons do."""
    data = {"csrf_token": browser.token("/admins/"), **fields}
    return browser.post(f"/admins/{deed}", data=data)


def newest() -> AuditEntry:
    """What was done last."""
    entry: AuditEntry = AuditEntry.select().order_by(AuditEntry.id.desc()).get()
    return entry


def test_an_account_is_made_and_its_owner_invited(visit: Visit) -> None:
    """The link is shown once, and with it the password is chosen."""
    browser = visit(StaffRole.OWNER)
    answer = act(browser, "", name="ada", role="operator", telegram_id="1001")
    path = re.search(r"http://localhost:8000(/invite/[\w-]{43})", answer.text)[1]  # type: ignore[index]
    assert path not in browser.get("/admins/").text
    made = Admin.get(name="ada")
    assert (made.role, made.telegram_id, made.password) == ("operator", 1001, None)
    assert visit(None).post_form(path, password=PASSWORD).location == "/"
    actions = [entry.action for entry in AuditEntry.select()]
    assert actions == ["admin.create", "admin.invite", "admin.password", "sign_in"]
    assert audit.verify() is None
    assert "1001" not in repr(list(AuditEntry.select().dicts()))


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"name": "OWNER"}, 400),
        ({"name": ""}, 400),
        ({"name": "two words"}, 400),
        ({"name": "a\0b"}, 400),
        ({"name": "x" * 65}, 400),
        ({"name": "<b>"}, 400),
        ({"role": "emperor"}, 400),
        ({"role": ""}, 400),
        ({"telegram_id": "@ada"}, 400),
        ({"telegram_id": "-1"}, 400),
        ({"telegram_id": "9" * 20}, 400),
        ({"telegram_id": "1001"}, 400),
    ],
)
def test_what_cannot_be_is_refused(visit: Visit, fields: dict[str, str], status: int) -> None:
    """A sentence instead of an account; what was written stays in the form, harmless."""
    browser = visit(StaffRole.OWNER)
    Admin.update(telegram_id=1001).execute()
    answer = act(browser, "", **({"name": "ada", "role": "viewer"} | fields))
    assert answer.status_code == status and "<b>" not in answer.text.partition("<main")[2][:600]
    assert Admin.select().count() == 1 and not AuditEntry.select().exists()


def test_another_role_ends_the_sessions(visit: Visit) -> None:
    """What somebody may do now they may only do after signing in anew."""
    browser, other = visit(StaffRole.OWNER), visit(StaffRole.VIEWER)
    viewer = Admin.get(name="viewer")
    assert act(browser, f"{viewer.id}/role", role="admin").status_code == 302
    assert other.get("/").status_code == 302
    assert Admin.get(name="viewer").role is StaffRole.ADMIN
    assert (newest().before, newest().after) == ({"role": "viewer"}, {"role": "admin"})


def test_whoever_is_shut_out_is_so_at_once(visit: Visit) -> None:
    """Their sessions end and their password opens nothing, until they are let in again."""
    browser, other = visit(StaffRole.OWNER), visit(StaffRole.OPERATOR)
    number = Admin.get(name="operator").id
    act(browser, f"{number}/disable")
    assert other.get("/").status_code == 302
    form = {"name": "operator", "password": PASSWORD}
    assert other.post_form("/login", **form).status_code == 401
    assert (newest().action, newest().after) == ("admin.disable", {"disabled": True})
    act(browser, f"{number}/enable")
    assert other.post_form("/login", **form).status_code == 302


@pytest.mark.parametrize(("deed", "fields"), [("disable", {}), ("role", {"role": "admin"})])
def test_the_last_owner_stays(visit: Visit, deed: str, fields: dict[str, str]) -> None:
    """Nobody locks the whole team out; with a second owner one may go."""
    browser = visit(StaffRole.OWNER)
    number = Admin.get(name="owner").id
    answer = act(browser, f"{number}/{deed}", **fields)
    assert answer.status_code == 400 and "This is the last owner" in answer.text
    assert browser.get("/").status_code == 200
    make_admin(name="second")
    assert act(browser, f"{number}/{deed}", **fields).status_code == 302
    assert browser.get("/").status_code == 302


def test_a_lost_phone_is_forgiven(visit: Visit, clock: Clock) -> None:
    """The second factor is taken off, with every session."""
    browser, other = visit(StaffRole.OWNER), visit(StaffRole.VIEWER)
    viewer = Admin.get(name="viewer")
    give_totp(viewer, clock())
    act(browser, f"{viewer.id}/reset-totp")
    assert other.get("/").status_code == 302
    assert Admin.get(name="viewer").totp_secret is None
    assert newest().action == "admin.totp"


def test_sessions_are_counted_and_ended(visit: Visit, clock: Clock) -> None:
    """Those of one account; ones that are over do not count."""
    browser = visit(StaffRole.OWNER)
    old = make_admin(StaffRole.VIEWER)
    sessions.begin(old, address="", agent="", at=clock())
    clock.pass_(minutes=29)
    browser.get("/")
    clock.pass_(minutes=2)
    browser.post_form("/confirm", proof=PASSWORD)
    others = [visit(StaffRole.VIEWER) for _ in range(2)]
    assert "2 sessions" in browser.get("/admins/").text
    act(browser, f"{old.id}/sign-out")
    assert [other.get("/").status_code for other in others] == [302, 302]
    assert Session.select().count() == 1
    assert (newest().action, newest().after) == ("admin.sign_out", {"sessions": 3})


def test_the_telegram_id_is_changed(visit: Visit) -> None:
    """One person, one account; nothing is nobody."""
    browser = visit(StaffRole.OWNER)
    viewer, number = make_admin(StaffRole.VIEWER), Admin.get(name="owner").id
    assert act(browser, f"{viewer.id}/telegram", telegram_id=" 1001 ").status_code == 302
    assert Admin.get(name="viewer").telegram_id == 1001
    taken = act(browser, f"{number}/telegram", telegram_id="1001")
    assert taken.status_code == 400 and "belongs to another account" in taken.text
    act(browser, f"{viewer.id}/telegram", telegram_id="")
    assert Admin.get(name="viewer").telegram_id is None


@pytest.mark.parametrize("number", ["0", "999", "2147483648", "9" * 30])
def test_an_account_that_is_not_there_is_404(visit: Visit, number: str) -> None:
    """However big its number is."""
    browser = visit(StaffRole.OWNER)
    for deed in ("disable", "invite", "sign-out", "reset-totp", "telegram"):
        assert act(browser, f"{number}/{deed}").status_code == 404
    assert act(browser, f"{number}/role", role="viewer").status_code == 404


def test_it_is_asked_who_it_is_first(visit: Visit, clock: Clock) -> None:
    """A session that was left open makes nobody an owner."""
    browser = visit(StaffRole.OWNER)
    token = browser.token("/admins/")
    clock.pass_(minutes=11)
    data = {"csrf_token": token, "name": "eve", "role": "owner"}
    for referer, there in (
        ("http://localhost/admins/", "/admins/"),
        ("http://[", "/"),
        ("http://evil.example//evil.example", "/"),
    ):
        answer = browser.post("/admins/", data=data, headers={"Referer": referer})
        assert answer.location == f"/confirm?next={there}"
    assert Admin.select().count() == 1


def test_more_than_the_form_has_changes_nothing_more(visit: Visit) -> None:
    """Fields that nobody asked for are not written."""
    browser = visit(StaffRole.OWNER)
    extra = {"password": "x", "disabled": "1", "totp_secret": "x", "id": "77", "role_": "owner"}
    act(browser, "", name="ada", role="viewer", **extra)
    made = Admin.get(name="ada")
    assert (made.password, made.totp_secret, made.disabled, made.role) == (
        None,
        None,
        False,
        StaffRole.VIEWER,
    )
