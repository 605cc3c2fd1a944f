"""Your account: password and sessions, as everybody changes their own."""

from __future__ import annotations

import pytest

from services import admins, sessions, tokens
from staff import Admin, AuditEntry, Session, StaffRole
from tests.admin.conftest import PASSWORD, Browser, Clock, Visit, make_admin

NEW = "four other little words"


def sign_in(browser: Browser, password: str = PASSWORD, name: str = "viewer") -> int:
    """Sign in by the form; the status of the answer."""
    return browser.post_form("/login", name=name, password=password).status_code


def cookie(browser: Browser) -> str:
    """What the browser shows to be let in."""
    found = browser.get_cookie("steadygram")
    assert found is not None
    return found.value


def set_password(browser: Browser, now: str = PASSWORD, password: str = NEW) -> int:
    """Change one's password; the status of the answer."""
    fields = {"now": now, "password": password}
    token = browser.token("/account/")
    return browser.post("/account/password", data={"csrf_token": token, **fields}).status_code


def test_the_page_shows_who_and_where(visit: Visit, clock: Clock) -> None:
    """Name, role, and each browser; nothing that opens anything."""
    visit(StaffRole.VIEWER)
    browser = visit(StaffRole.VIEWER)
    text = browser.get("/account/").text
    assert text.count("tests</td>") == 2 and text.count("this one") == 1
    assert cookie(browser) not in text and "argon2" not in text
    assert 'href="/account/"' in browser.get("/").text


def test_a_new_password_ends_all_other_sessions(visit: Visit) -> None:
    """This one goes on with another id; the old password is over."""
    browser, other = visit(StaffRole.VIEWER), visit(StaffRole.VIEWER)
    before = cookie(browser)
    assert set_password(browser) == 302
    assert other.get("/").status_code == 302
    assert browser.get("/").status_code == 200 and cookie(browser) != before
    other.set_cookie("steadygram", before)
    assert other.get("/").status_code == 302
    assert (sign_in(visit(None)), sign_in(visit(None), NEW)) == (401, 302)
    assert "changed" in str(AuditEntry.get(AuditEntry.action == "admin.password").after)


@pytest.mark.parametrize(
    ("now", "new", "status"),
    [
        (PASSWORD, "short", 400),
        (PASSWORD, "password1234", 400),
        (PASSWORD, "x" * 257, 400),
        ("wrong wrong wrong", NEW, 401),
        ("", NEW, 401),
    ],
)
def test_a_password_is_not_changed(visit: Visit, now: str, new: str, status: int) -> None:
    """To a weak one, or without the one that holds."""
    browser = visit(StaffRole.VIEWER)
    assert set_password(browser, now, new) == status
    assert browser.get("/").status_code == 200 and sign_in(visit(None)) == 302


def test_the_old_password_is_guessed_no_faster_here(visit: Visit) -> None:
    """Whoever has a copied cookie cannot find the password out."""
    browser = visit(StaffRole.VIEWER)
    codes = [set_password(browser, f"guess number {n}") for n in range(8)]
    codes += [browser.post_form("/confirm", proof=f"guess {n}").status_code for n in range(8)]
    assert codes == [401] * 4 + [429] * 12


def test_whoever_has_no_password_shows_who_they_are_by_a_new_link(
    visit: Visit, clock: Clock
) -> None:
    """A session from the bot's link may choose one at once; later it is led to a new link."""
    admin = Admin.create(name="ada", role=StaffRole.VIEWER, telegram_id=1001)
    browser = visit(None)
    browser.set_cookie("steadygram", sessions.begin(admin, address="", agent="", at=clock()))
    clock.pass_(minutes=11)
    token = browser.token("/account/")
    data = {"csrf_token": token, "password": NEW}
    answer = browser.post("/account/password", data=data, headers={"Referer": "http://x/account/"})
    assert answer.location == "/confirm?next=/account/"
    page = browser.get("/confirm")
    assert "send /panel to the bot" in page.text and 'name="proof"' not in page.text
    assert browser.post("/confirm", data={"csrf_token": token}).status_code == 401
    Session.update(confirmed_at=clock()).execute()
    assert browser.post("/account/password", data=data).location == "/account/"
    assert sign_in(visit(None), NEW, "ada") == 302


def test_a_session_is_ended_from_another_browser(visit: Visit) -> None:
    """One's own, and nobody else's."""
    browser, mine, other = (
        visit(StaffRole.VIEWER),
        visit(StaffRole.VIEWER),
        visit(StaffRole.OWNER),
    )
    for victim, status in ((mine, 302), (other, 200)):
        digest = tokens.digest(cookie(victim))
        browser.post_form("/account/sessions/end", "/account/", session=digest)
        assert victim.get("/").status_code == status
    assert browser.get("/").status_code == 200


def test_sign_out_everywhere_is_everywhere(visit: Visit) -> None:
    """Here too, and the copied cookie is worth nothing."""
    browser, other = visit(StaffRole.VIEWER), visit(StaffRole.VIEWER)
    copied = cookie(browser)
    assert browser.post_form("/account/sessions/end-all", "/account/").location == "/login"
    browser.set_cookie("steadygram", copied)
    assert browser.get("/").status_code == other.get("/").status_code == 302
    assert not Session.select().exists()


def test_a_planted_cookie_is_not_signed_in(visit: Visit, clock: Clock) -> None:
    """Session fixation: what somebody set before the sign-in opens nothing after it."""
    make_admin(StaffRole.VIEWER)
    planted, victim, attacker = "planted" * 6, visit(None), visit(None)
    victim.set_cookie("steadygram", planted)
    form = victim.token("/login")
    assert sign_in(victim) == 302
    attacker.set_cookie("steadygram", planted)
    assert cookie(victim) != planted and attacker.get("/").status_code == 302
    assert victim.post("/logout", data={"csrf_token": form}).status_code == 400


def test_a_session_of_somebody_else_is_over_when_signing_in(visit: Visit) -> None:
    """A browser that was signed in as another account leaves no session behind."""
    make_admin(StaffRole.VIEWER)
    browser = visit(StaffRole.OPERATOR)
    form = {"csrf_token": browser.token("/"), "name": "viewer", "password": PASSWORD}
    assert browser.post("/login", data=form).status_code == 302
    assert [session.admin.name for session in Session.select()] == ["viewer"]


def test_confirming_gives_another_id(visit: Visit, clock: Clock) -> None:
    """A cookie that was copied before does not get the rights of afterwards."""
    browser, thief = visit(StaffRole.OWNER), visit(None)
    clock.pass_(minutes=11)
    thief.set_cookie("steadygram", cookie(browser))
    assert browser.get("/admins/").location == "/confirm?next=/admins/"
    answer = browser.post_form("/confirm", proof=PASSWORD, next="/admins/")
    assert answer.location == "/admins/" and browser.get("/admins/").status_code == 200
    assert thief.get("/").status_code == 302
    clock.pass_(minutes=11)
    assert browser.get("/admins/").status_code == 302


def test_a_sign_in_that_was_overtaken_begins_no_session(app: object, clock: Clock) -> None:
    """Whoever's password was changed, or account closed, after it was looked at stays outside."""
    admin = make_admin()
    for change in (
        {"password": "another"},
        {"disabled": True},
        {"role": StaffRole.VIEWER},
        {"telegram_id": 1001},
        {"telegram_id": None},
        {"totp_secret": "1.x"},
    ):
        looked_at = Admin.get_by_id(admin.id)
        Admin.update(change).execute()
        assert admins.sign_in(looked_at, how="x", address="", agent="", at=clock()) is None
        looked_at = Admin.get_by_id(admin.id)
        if not looked_at.disabled:
            assert admins.sign_in(looked_at, how="x", address="", agent="", at=clock())
        Admin.update(disabled=False).execute()
