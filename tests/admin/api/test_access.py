"""Who may come in: tokens, scopes, roles, and nothing but the Authorization header."""

from __future__ import annotations

from itertools import product

import pytest
from flask import Flask

from admin.auth.rights import right_of
from admin.panel import Panel
from database import Database
from models import User
from services import api_tokens, audit, scopes, tokens
from services.audit import TERMINAL
from services.scopes import Scope
from staff import TABLES, Admin, ApiToken, AuditEntry, StaffRole
from tests.admin.api.conftest import Call
from tests.admin.conftest import Clock, Secure, Visit, give_totp, make_admin
from tests.admin.test_rights import APP, routes

API = [
    (method, rule.rule, right.scope)
    for method, rule, right in routes(APP)
    if right and right.scope is not None
]
ME = "/api/v1/users"


def path_of(rule: str) -> str:
    """A path that the rule fits, to a row that is not there."""
    for name in ("user_id", "failure_id", "message_id"):
        rule = rule.replace(f"<key:{name}>", "999")
    return rule.replace("<plugin>", "nothing").replace("<setting>", "none")


def test_every_route_of_the_api_states_a_scope() -> None:
    """But for the document and its page, which hold nothing of the installation."""
    open_ = {
        rule.rule
        for _, rule, right in routes(APP)
        if rule.rule.startswith("/api/") and right and right.scope is None
    }
    assert open_ == {"/api/v1/openapi.json", "/api/v1/docs"}
    assert len(API) >= 20 and {scope for *_, scope in API} | {Scope.USERS_ROLES} == set(Scope)


def test_a_route_of_the_api_that_states_no_scope_is_refused(own_app: Flask, call: Call) -> None:
    """Whoever forgets to say what a token is needed for opens nothing with any."""
    own_app.add_url_rule("/api/v1/forgotten", "forgotten", lambda: "secret")
    assert right_of(own_app, "forgotten") is None
    answer = call().get("/api/v1/forgotten")
    assert answer.status_code == 403 and "secret" not in answer.text


@pytest.mark.parametrize("role", StaffRole)
def test_a_token_does_what_its_scopes_and_its_owners_role_allow(
    call: Call, role: StaffRole, world: list[User]
) -> None:
    """Every route with a token of each role: with the right scope, and with all the others."""
    others = {
        scope: call(role, *(set(scopes.open_to(role)) - {scope}), name=scope.name)
        for scope in Scope
    }
    all_ = call(role)
    for method, rule, scope in API:
        told = (method, rule, role)
        answer = all_.open(path_of(rule), method=method, json={})
        assert (answer.status_code == 403) != role.may(scope.role), told
        assert answer.status_code != 401, told
        answer = others[scope].open(path_of(rule), method=method, json={})
        assert answer.status_code == 403 and str(scope) in answer.json["detail"], told


def test_a_token_may_no_more_than_its_owner_may_now(call: Call, world: list[User]) -> None:
    """A lower role takes effect with the next request, and so does a disabled account."""
    client, path = call(StaffRole.ADMIN), f"/api/v1/users/{world[0].id}"
    assert client.patch(path, json={"role": "moderator"}).status_code == 200
    Admin.update(role=StaffRole.OPERATOR).execute()
    assert client.patch(path, json={"role": "user"}).status_code == 403
    assert client.patch(path, json={"language": "ru"}).status_code == 200
    Admin.update(role=StaffRole.VIEWER).execute()
    assert client.patch(path, json={"language": "en"}).status_code == 403
    assert client.get(path).json["role"] == "moderator"
    Admin.update(disabled=True).execute()
    assert client.get(path).status_code == 401


def test_a_revoked_token_is_refused_at_once(app: Flask, call: Call, clock: Clock) -> None:
    """By every worker, also by one that has just seen it: it is read for each request."""
    client = call()
    assert client.get(ME).status_code == 200
    assert api_tokens.revoke(TERMINAL, client.row, clock())
    assert client.get(ME).status_code == 401
    assert not api_tokens.revoke(TERMINAL, client.row, clock())


def test_a_token_ends_by_itself(call: Call, clock: Clock) -> None:
    """At the moment that was chosen when it was made."""
    client = call(expires_at=clock())
    assert client.get(ME).status_code == 401
    ApiToken.update(expires_at=None).execute()
    assert client.get(ME).status_code == 200


def test_a_token_counts_in_the_authorization_header_alone(call: Call) -> None:
    """Not in the address, which logs keep, nor in a cookie, a form or another header."""
    client = call()
    secret = client.secret
    for path, headers in product(
        (ME, f"{ME}?access_token={secret}", f"{ME}?token={secret}"),
        (
            {"X-Nothing": "1"},
            {"Authorization": f"Basic {secret}"},
            {"Authorization": f"Token {secret}"},
            {"X-Api-Key": secret},
            {"Cookie": f"steadygram={secret}; token={secret}"},
        ),
    ):
        answer = client.get(path, headers=headers)
        assert answer.status_code == 401, (path, headers)
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert (
        client.post(
            "/api/v1/messages", data={"access_token": secret}, headers={"X-Nothing": "1"}
        ).status_code
        == 401
    )


def test_an_invented_token_opens_nothing(call: Call) -> None:
    """Whatever stands in the header, the answer is the same."""
    client = call()
    for secret in ("", "sg_", "sg_" + "a" * 43, "x" * 46, "sg_'; --", "Bearer", "\xff" * 20):
        answer = client.get(ME, headers={"Authorization": f"Bearer {secret}"})
        assert answer.status_code == 401 and answer.json["title"] == "Unauthorized", secret


def test_the_beginning_of_a_token_is_not_enough(call: Call) -> None:
    """The part that stays readable finds the row; the rest must be right too."""
    client = call()
    for wrong in (client.row.prefix, client.row.prefix + "x" * 35, client.secret[:-1]):
        headers = {"Authorization": f"Bearer {wrong}"}
        assert client.get(ME, headers=headers).status_code == 401


def test_a_session_of_the_browser_opens_nothing_in_the_api(visit: Visit) -> None:
    """No cookie is read there, and so no other site can make a browser act."""
    browser = visit(StaffRole.OWNER)
    assert browser.get("/").status_code == 200
    assert browser.get(ME).status_code == 401
    token = browser.token("/")
    answer = browser.post("/api/v1/messages", json={}, headers={"X-CSRFToken": token})
    assert answer.status_code == 401


def test_a_token_opens_no_page(call: Call) -> None:
    """Pages are for people, who have a session."""
    assert call().get("/").status_code == 302


def test_no_token_is_kept_anywhere(database: Database, call: Call, world: list[User]) -> None:
    """A dump of every table has the readable beginning and a digest, no token and no part of it."""
    client = call()
    client.patch(f"/api/v1/users/{world[0].id}", json={"status": "banned", "reason": "spam"})
    dump = "".join(repr(list(model.select().tuples())) for model in TABLES)
    assert tokens.digest(client.secret) in dump and client.row.prefix in dump
    assert client.secret not in dump and client.secret[12:] not in dump
    assert len(client.secret) >= 3 + 22


def test_use_is_written_down_once_a_minute(call: Call, clock: Clock) -> None:
    """The last use is told to the minute, and costs a write as seldom."""
    client = call()
    first = clock()
    assert client.get(ME).status_code == 200
    clock.pass_(seconds=59)
    client.get(ME)
    assert ApiToken.get().used_at == first
    clock.pass_(seconds=1)
    client.get(ME)
    assert ApiToken.get().used_at == clock()


def test_a_token_makes_so_many_requests_a_minute(panel: Panel, call: Call, clock: Clock) -> None:
    """Then it is told how long to wait; others are not held up, and then it goes on."""
    clock.at = clock().replace(second=20, microsecond=500_000)
    panel.api_rate = 5
    client, other = call(), call(StaffRole.VIEWER)
    codes = [client.get("/api/v1/stats?days=0").status_code for _ in range(panel.api_rate)]
    assert set(codes) == {422}  # what is refused counts too
    answer = client.get(ME)
    assert answer.status_code == 429 and answer.headers["Retry-After"] == "40"
    assert answer.json["title"] == "Too Many Requests" and "40 seconds" in answer.json["detail"]
    assert other.get(ME).status_code == 200
    clock.pass_(seconds=40)
    assert client.get(ME).status_code == 200


def test_what_a_token_did_is_in_the_log_under_its_owners_name(
    call: Call, world: list[User]
) -> None:
    """With the token's name beside it, and the address."""
    path = f"/api/v1/users/{world[0].id}"
    assert call(StaffRole.OPERATOR).patch(path, json={"status": "banned"}).status_code == 200
    entry = AuditEntry.get(AuditEntry.action == "user.ban")
    assert entry.actor == "operator (token deploy)" and entry.address == "127.0.0.1"
    assert entry.admin_id == Admin.get(Admin.name == "operator").id
    assert audit.verify() is None


def test_a_token_cannot_be_made_for_more_than_its_owner_may(
    database: Database, clock: Clock
) -> None:
    """Nor without a name or a scope, nor twice under one name, nor without end."""
    admin = make_admin(StaffRole.VIEWER)
    for name, wanted, said in (
        ("x", [Scope.USERS_WRITE], "needs the role operator"),
        ("x", [], "at least one"),
        ("", [Scope.USERS_READ], "name"),
        ("x\n", [Scope.USERS_READ], "name"),
        ("x" * 33, [Scope.USERS_READ], "name"),
    ):
        with pytest.raises(api_tokens.Refused, match=said):
            api_tokens.create(TERMINAL, admin, name, wanted, at=clock())
    for number in range(api_tokens.MOST):
        made = api_tokens.create(TERMINAL, admin, f"t{number}", [Scope.USERS_READ], at=clock())
        if number == 0:
            with pytest.raises(api_tokens.Refused, match="already"):
                api_tokens.create(TERMINAL, admin, "t0", [Scope.USERS_READ], at=clock())
    with pytest.raises(api_tokens.Refused, match="revoke one"):
        api_tokens.create(TERMINAL, admin, "last", [Scope.USERS_READ], at=clock())
    api_tokens.revoke(TERMINAL, made[0], clock())
    assert api_tokens.create(TERMINAL, admin, "last", [Scope.USERS_READ], at=clock())


def test_an_owner_in_production_needs_a_second_factor_here_too(
    secure: Secure, call: Call, clock: Clock
) -> None:
    """What opens no page to them opens nothing by a token either."""
    bearer = {"Authorization": f"Bearer {call().secret}"}
    browser = secure()
    answer = browser.get(ME, headers=bearer)
    assert answer.status_code == 403 and "second factor" in answer.text
    give_totp(Admin.get(), clock())
    assert browser.get(ME, headers=bearer).status_code == 200


def test_under_a_name_that_is_not_ours_nothing_is_served(secure: Secure, call: Call) -> None:
    """And that is a problem like any other."""
    answer = secure().get(ME, headers={"Host": "evil.example"})
    assert answer.status_code == 400 and answer.content_type == "application/problem+json"
