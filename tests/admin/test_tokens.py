"""The page of API tokens: made and shown once, listed, revoked."""

from __future__ import annotations

import re

from flask import Flask

from services import api_tokens
from services.audit import TERMINAL
from services.scopes import Scope
from staff import Admin, ApiToken, AuditEntry, StaffRole
from tests.admin.conftest import Clock, Visit, make_admin


def make(admin: Admin, clock: Clock, name: str = "deploy") -> ApiToken:
    """A token of an account."""
    return api_tokens.create(TERMINAL, admin, name, [Scope.USERS_READ], at=clock())[0]


def test_a_token_is_made_and_shown_this_once(app: Flask, visit: Visit, clock: Clock) -> None:
    """It opens the API; the list has its beginning alone, and the log neither."""
    browser = visit(StaffRole.ADMIN)
    assert "Make the first one" in browser.get("/tokens/").text
    scopes = ["users:read", "stats:read"]
    page = browser.post_form("/tokens/new", name="deploy", days="30", scope=scopes)
    found = re.search(r"sg_[A-Za-z0-9_-]{43}", page.text)
    assert page.status_code == 200 and found and "no-store" in page.headers["Cache-Control"]
    with app.test_client() as program:
        bearer = {"Authorization": f"Bearer {found[0]}"}
        assert program.get("/api/v1/users", headers=bearer).status_code == 200
        assert program.get("/api/v1/events", headers=bearer).status_code == 403
    shown = browser.get("/tokens/").text
    assert "deploy" in shown and found[0][: api_tokens.READABLE] in shown
    assert found[0] not in shown + repr(list(AuditEntry.select().dicts()))
    token = ApiToken.get()
    assert token.expires_at is not None and (token.expires_at - clock()).days == 30
    (entry,) = AuditEntry.select().where(AuditEntry.action == "token.create")
    assert entry.actor == "admin" and entry.after["scopes"] == ["stats:read", "users:read"]


def test_a_token_is_made_only_with_a_fresh_password(visit: Visit, clock: Clock) -> None:
    """Whoever finds an open browser is asked for the password, before the form is filled in."""
    browser = visit(StaffRole.OWNER)
    token = browser.token("/tokens/new")
    clock.pass_(minutes=11)
    assert browser.get("/tokens/").status_code == 200
    assert browser.get("/tokens/new").location.startswith("/confirm")
    fields = {"csrf_token": token, "name": "x", "days": "7", "scope": "users:read"}
    assert browser.post("/tokens/new", data=fields).location.startswith("/confirm")
    assert not ApiToken.select().exists()


def test_a_form_that_is_wrong_makes_nothing(visit: Visit) -> None:
    """What was filled in stays, with a sentence; what no form has is refused."""
    browser = visit(StaffRole.ADMIN)
    page = browser.post_form("/tokens/new", name="<b>x", days="7", scope="users:read")
    assert page.status_code == 400 and "A token&#39;s name is" in page.text
    assert "&lt;b&gt;x" in page.text and "<b>x" not in page.text
    assert 'value="users:read" checked' in page.text
    for odd in ({"scope": "all"}, {"days": "9999999999"}, {"days": "x"}, {"scope": "\ud800"}):
        fields = {"name": "x", "days": "7", "scope": "users:read"} | odd
        fields["scope"] = fields["scope"].encode("utf-8", "replace").decode()
        assert browser.post_form("/tokens/new", **fields).status_code == 400, odd
    assert browser.post_form("/tokens/new", name="x", days="7").status_code == 400
    assert not ApiToken.select().exists()


def test_admins_see_their_own_tokens_and_owners_all(visit: Visit, clock: Clock) -> None:
    """Others' cannot be revoked by an admin, even by the number."""
    owner, admin = make_admin(StaffRole.OWNER), make_admin(StaffRole.ADMIN)
    theirs, mine = make(owner, clock, "theirs"), make(admin, clock, "mine")
    browser = visit(StaffRole.ADMIN)
    page = browser.get("/tokens/").text
    assert "mine" in page and "theirs" not in page
    for number in (theirs.id, 999, "x", "", "9" * 30, "-1", "²"):
        answer = browser.post_form("/tokens/revoke", "/tokens/", id=number)
        assert answer.status_code == 404, number
    assert browser.post_form("/tokens/revoke", "/tokens/", id=mine.id).status_code == 302
    assert "revoked" in browser.get("/tokens/").text
    page = visit(StaffRole.OWNER).get("/tokens/").text
    assert "mine" in page and "theirs" in page
    assert ApiToken.get_by_id(theirs.id).revoked_at is None
    visit(StaffRole.OWNER).post_form("/tokens/revoke", "/tokens/", id=theirs.id)
    assert ApiToken.get_by_id(theirs.id).revoked_at == clock()
    done = AuditEntry.select().where(AuditEntry.action == "token.revoke").order_by(AuditEntry.id)
    assert [(entry.actor, entry.target) for entry in done] == [
        ("admin", f"token:{mine.id}"),
        ("owner", f"token:{theirs.id}"),
    ]


def test_the_list_says_which_tokens_are_in_force(visit: Visit, clock: Clock) -> None:
    """Expired ones, and those of a disabled account, are told from the others."""
    admin = make_admin(StaffRole.ADMIN)
    make(admin, clock)
    browser = visit(StaffRole.OWNER)
    assert "in force" in browser.get("/tokens/").text
    ApiToken.update(expires_at=clock()).execute()
    assert "expired" in browser.get("/tokens/").text
    ApiToken.update(expires_at=None).execute()
    Admin.update(disabled=True).where(Admin.id == admin.id).execute()
    assert "owner disabled" in browser.get("/tokens/").text
