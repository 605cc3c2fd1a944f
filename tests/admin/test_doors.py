"""Links that work once: from the bot, for somebody new, and for the first owner."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask

from admin.app import create_app
from admin.panel import Panel
from database import Database
from services import admins, arrivals, links, passwords
from services.audit import TERMINAL
from staff import Admin, AuditEntry, Link, Session, StaffRole
from tests.admin.conftest import PASSWORD, Browser, Clock, Visit, make_admin
from tests.together import run_together

ALICE = 1001


def bot_link(clock: Clock, role: StaffRole = StaffRole.OPERATOR) -> str:
    """The path that the bot gives Alice, who has an account without a password."""
    if not Admin.get_or_none(Admin.telegram_id == ALICE):
        Admin.create(name="alice", role=role, telegram_id=ALICE)
    return f"/enter/{arrivals.panel_link(ALICE, clock())}"


def test_a_link_from_the_bot_signs_in_once(visit: Visit, clock: Clock) -> None:
    """The button uses it up; the audit log says by what somebody came in."""
    path, browser = bot_link(clock), visit(None)
    assert "Sign in as alice?" in browser.get(path).text
    assert browser.post_form(path).location == "/"
    assert browser.get("/").status_code == 200
    assert visit(None).get(path).status_code == 404
    assert AuditEntry.get(AuditEntry.action == "sign_in").after == {"by": "link from the bot"}


def test_a_preview_uses_nothing_up(visit: Visit, clock: Clock) -> None:
    """Looking, with GET or HEAD and however often, changes nothing and signs nobody in."""
    path, preview = bot_link(clock), visit(None)
    for _ in range(3):
        assert preview.get(path).status_code == preview.head(path).status_code == 200
    assert preview.get_cookie("steadygram") is None and not Session.select().exists()
    assert visit(None).post_form(path).location == "/"


def test_the_button_needs_the_forms_token(visit: Visit, clock: Clock) -> None:
    """Another site can sign nobody in as somebody else."""
    path, browser = bot_link(clock), visit(None)
    assert browser.post(path).status_code == 400
    assert browser.post_form(path).status_code == 302


def alice() -> Admin:
    """Whose link it is."""
    mine: Admin = Admin.get(Admin.name == "alice")
    return mine


@pytest.mark.parametrize(
    "spoil",
    [
        lambda clock: clock.pass_(minutes=2),
        lambda clock: Admin.update(disabled=True).execute(),
        lambda clock: Admin.update(telegram_id=None).execute(),
        lambda clock: admins.set_role(TERMINAL, alice(), StaffRole.VIEWER),
        lambda clock: admins.set_telegram_id(TERMINAL, alice(), 1002),
        lambda clock: admins.set_disabled(TERMINAL, alice(), True),
    ],
    ids=["late", "closed", "erased", "role", "another", "disabled"],
)
def test_a_link_from_the_bot_is_over(
    visit: Visit, clock: Clock, spoil: Callable[[Clock], object]
) -> None:
    """After two minutes, and when the account is no more the same person's."""
    path, browser = bot_link(clock), visit(None)
    make_admin()
    token = browser.token(path)
    Admin.delete().where(Admin.name == "owner").execute()
    make_admin(name="zoe")
    spoil(clock)
    assert browser.post(path, data={"csrf_token": token}).status_code == 404
    assert not Session.select().exists()


def test_a_link_opens_what_it_is_for_and_nothing_else(visit: Visit, clock: Clock) -> None:
    """One from the bot chooses no password, an invitation is no set-up, and so on."""
    admin = Admin.create(name="alice", role=StaffRole.OPERATOR, telegram_id=ALICE)
    made = {
        "invite": arrivals.invite(TERMINAL, admin, clock()),
        "enter": arrivals.panel_link(ALICE, clock()),
        "setup": links.set_up(clock()),
    }
    for kind, token in made.items():
        for door in made:
            expected = 200 if door == kind else 404
            assert visit(None).get(f"/{door}/{token}").status_code == expected, (kind, door)


@pytest.mark.parametrize("door", ["setup", "invite", "enter"])
@pytest.mark.parametrize("token", ["x", "%00", "%ff", "a" * 5000, "ё"])
def test_an_invented_link_is_none(visit: Visit, door: str, token: str) -> None:
    """Whatever stands there is 404, also when it is pressed."""
    browser = visit(None)
    csrf = browser.token("/login")
    assert browser.get(f"/{door}/{token}").status_code == 404
    answer = browser.post(f"/{door}/{token}", data={"csrf_token": csrf, "name": "x"})
    assert answer.status_code == 404


def test_an_invitation_chooses_the_password_once(visit: Visit, clock: Clock) -> None:
    """A weak one is refused and the link stays good; then it is used up, and the password works."""
    admin = admins.create(TERMINAL, "ada", StaffRole.ADMIN)
    path = f"/invite/{arrivals.invite(TERMINAL, admin, clock())}"
    browser = visit(None)
    assert "Welcome, ada" in browser.get(path).text
    assert browser.post_form(path, password="password1234").status_code == 400
    assert browser.post_form(path, password=PASSWORD).location == "/"
    assert browser.get("/").status_code == 200
    assert visit(None).get(path).status_code == 404
    other = visit(None)
    assert other.post_form("/login", name="ADA", password=PASSWORD).location == "/"
    assert [e.action for e in AuditEntry.select()][:3] == [
        "admin.create",
        "admin.invite",
        "admin.password",
    ]


def test_an_invitation_for_an_account_in_use_ends_its_sessions(visit: Visit, clock: Clock) -> None:
    """Whoever forgot the password, or lost it to somebody, is alone with the new one."""
    thief = visit(StaffRole.ADMIN)
    admin = Admin.get(name="admin")
    first, second = (arrivals.invite(TERMINAL, admin, clock()) for _ in range(2))
    assert visit(None).get(f"/invite/{first}").status_code == 404
    clock.pass_(minutes=20)
    visit(None).post_form(f"/invite/{second}", password="four smaller little words")
    assert thief.get("/").status_code == 302
    assert not passwords.fits(PASSWORD, Admin.get(name="admin").password)


def test_an_invitation_lasts_an_hour(visit: Visit, clock: Clock) -> None:
    """A mail that is found later opens nothing."""
    admin = admins.create(TERMINAL, "ada", StaffRole.ADMIN)
    path = f"/invite/{arrivals.invite(TERMINAL, admin, clock())}"
    clock.pass_(minutes=60)
    assert visit(None).get(path).status_code == 404


def test_two_set_ups_at_once_make_one_account(
    panel: Panel, database: Database, clock: Clock
) -> None:
    """With one link, and with two: whoever is second is too late."""
    token, other = links.set_up(clock()), "x" * 43
    Link.create(
        digest=links._digest(other, links.Purpose.SET_UP),
        admin=None,
        expires_at=clock() + links.LIFE[links.Purpose.SET_UP],
    )
    answers = []

    def come(name: str, path: str) -> Callable[[], None]:
        app = create_app(panel)
        app.test_client_class = Browser
        browser = app.test_client()
        assert isinstance(browser, Browser)
        data = {"csrf_token": browser.token("/login"), "name": name, "password": PASSWORD}

        def work() -> None:
            answers.append(browser.post(path, data=data).status_code)
            database.close()

        return work

    paths = [f"/setup/{token}", f"/setup/{other}"] * 3
    run_together(*(come(f"ada{number}", path) for number, path in enumerate(paths)))
    assert sorted(answers) == [302] + [404] * 5
    assert Admin.select().count() == Session.select().count() == 1


def test_a_new_set_up_link_ends_the_one_before(visit: Visit, clock: Clock) -> None:
    """What an earlier start printed does not lie about for an hour."""
    first, second = links.set_up(clock()), links.set_up(clock())
    assert visit(None).get(f"/setup/{first}").status_code == 404
    assert visit(None).get(f"/setup/{second}").status_code == 200


def test_one_name_is_one_account(app: Flask, database: Database) -> None:
    """Also in other letters, and when two are made at once."""
    made: list[Admin | None] = []

    def create(name: str) -> Callable[[], None]:
        def work() -> None:
            with database.connection_context():
                try:
                    made.append(admins.create(TERMINAL, name, StaffRole.VIEWER))
                except admins.Refused:
                    made.append(None)

        return work

    run_together(*map(create, ("ada", "Ada", "ADA", "aDa")))
    assert sorted(map(bool, made)) == [False] * 3 + [True]


def test_somebody_is_always_left_to_manage_the_panel(app: Flask, database: Database) -> None:
    """Two owners who put each other down at once: one of them stays an owner."""
    pair = [make_admin(name="ada"), make_admin(name="bob")]
    refused = []

    def demote(admin: Admin) -> Callable[[], None]:
        def work() -> None:
            with database.connection_context():
                try:
                    admins.set_role(TERMINAL, admin, StaffRole.VIEWER)
                except admins.Refused as error:
                    refused.append(str(error))

        return work

    run_together(*map(demote, pair))
    assert admins.any_owner() and len(refused) == 1
