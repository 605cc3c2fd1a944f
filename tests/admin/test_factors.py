"""The second factor: set up by a picture, each code once, and codes to recover by."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from datetime import datetime

import pyotp
import pytest

from database import Database
from services import arrivals, factors, sessions
from services.audit import Actor
from services.factors import Factors
from services.seals import Broken, Seals
from settings import Secret
from staff import Admin, AuditEntry, RecoveryCode, Session, StaffRole
from tests.admin.conftest import (
    KEY,
    PASSWORD,
    Browser,
    Clock,
    Secure,
    Visit,
    code_at,
    give_totp,
    make_admin,
    seals,
)
from tests.together import run_together


def enrol(browser: Browser, clock: Clock, **fields: str) -> tuple[str, str]:
    """Set an authenticator up as a person does; its secret, and the page that answers."""
    page = browser.get("/account/totp").text
    secret = re.sub(r"\s", "", re.search(r"<code>([A-Z2-7 ]+)</code>", page)[1])  # type: ignore[index]
    offer = re.search(r'name="offer" value="([^"]+)"', page)[1]  # type: ignore[index]
    assert 'src="data:image/svg+xml' in page
    fields = {"offer": offer, "code": code_at(secret, clock())} | fields
    return secret, browser.post_form("/account/totp", **fields).text


def halfway(visit: Visit, name: str = "owner") -> Browser:
    """A browser whose password was right."""
    browser = visit(None)
    answer = browser.post_form("/login", name=name, password=PASSWORD)
    assert answer.location == "/login/code?next=/"
    return browser


def give_code(browser: Browser, code: str) -> int:
    """Give a code at the second step."""
    return browser.post_form("/login/code", code=code).status_code


def test_it_is_set_up_and_asked_for(visit: Visit, clock: Clock) -> None:
    """The picture's secret has 160 bits; then the password alone opens nothing."""
    secret, page = enrol(visit(StaffRole.OWNER), clock)
    assert len(base64.b32decode(secret)) * 8 == 160
    assert len(re.findall(r"<code>[a-z2-7]{4}(-[a-z2-7]{4}){3}</code>", page)) == factors.CODES
    browser = halfway(visit)
    assert browser.get("/").location == "/login?next=/"
    clock.pass_(seconds=30)
    assert give_code(browser, code_at(secret, clock())) == 302
    assert browser.get("/").status_code == 200
    entry = AuditEntry.get(AuditEntry.action == "sign_in")
    assert entry.after == {"by": "password and code"}


def test_a_wrong_first_code_switches_nothing_on(visit: Visit, clock: Clock) -> None:
    """Nobody is locked out by a picture that was not read; nor by an offer that was forged."""
    browser = visit(StaffRole.OWNER)
    assert "The code is wrong" in enrol(browser, clock, code="000000")[1]
    assert "begin anew" in enrol(browser, clock, offer="1.forged")[1]
    assert "begin anew" in enrol(browser, clock, offer="\0")[1]
    other = Admin.create(name="bob", role=StaffRole.OWNER)
    sealed = Factors(seals()).offer(other, clock())[1]
    assert "begin anew" in enrol(browser, clock, offer=sealed)[1]
    offer, code = Factors(seals()).offer(Admin.get(name="owner"), clock())[1], "123456"
    clock.pass_(minutes=9, seconds=59)
    browser.get("/account/")
    assert "begin anew" not in enrol(browser, clock, offer=offer, code=code)[1]
    assert Admin.get(name="owner").totp_secret is None


def test_an_offer_is_over_after_half_an_hour(app: object, clock: Clock) -> None:
    """A page that was left open does not set up what somebody else may have read."""
    admin, own = make_admin(), Factors(seals())
    _, sealed = own.offer(admin, clock())
    clock.pass_(minutes=31)
    with pytest.raises(Broken):
        own.offered(admin, sealed, clock())


def test_a_code_is_good_once(visit: Visit, clock: Clock) -> None:
    """Who reads a code over a shoulder comes too late; the one before it is over, too."""
    secret = give_totp(make_admin(), clock())
    code = code_at(secret, clock())
    assert give_code(halfway(visit), code) == 302
    late = halfway(visit)
    assert give_code(late, code) == 401
    assert give_code(late, code_at(secret, clock(), steps=-1)) == 401
    assert give_code(late, code_at(secret, clock(), steps=1)) == 302


@pytest.mark.parametrize(("steps", "right"), [(-2, False), (-1, True), (1, True), (2, False)])
def test_a_clock_may_be_half_a_minute_wrong(
    visit: Visit, clock: Clock, steps: int, right: bool
) -> None:
    """The code before and the one after are right, no others."""
    secret = give_totp(make_admin(), clock())
    code = code_at(secret, clock(), steps=steps)
    assert give_code(halfway(visit), f"{code[:3]} {code[3:]}") == (302 if right else 401)


def together(database: Database, *works: Callable[[], bool]) -> list[bool]:
    """What each work gives, done at once on connections of their own."""
    given: list[bool] = []

    def run(work: Callable[[], bool]) -> Callable[[], None]:
        def body() -> None:
            with database.connection_context():
                given.append(work())

        return body

    run_together(*map(run, works))
    return sorted(given)


def test_a_code_is_good_once_on_two_workers_at_once(
    database: Database, app: object, clock: Clock
) -> None:
    """Eight workers that looked at the account at the same time: one of them lets in."""
    secret = give_totp(make_admin(), clock())
    code, own = code_at(secret, clock()), Factors(seals())
    accounts = [Admin.get(name="owner") for _ in range(8)]
    works = [lambda admin=admin: own.accept(admin, code, clock()) for admin in accounts]
    assert together(database, *works) == [False] * 7 + [True]


def test_a_recovery_code_is_good_once(database: Database, visit: Visit, clock: Clock) -> None:
    """However it is written; also at once on two workers; and it is in the audit log."""
    _, page = enrol(visit(StaffRole.OWNER), clock)
    codes = re.findall(r"<code>([a-z2-7-]{19})</code>", page)
    assert codes[0] not in repr(list(RecoveryCode.select().dicts()))
    assert give_code(halfway(visit), codes[0].upper().replace("-", " ")) == 302
    assert give_code(halfway(visit), codes[0]) == 401
    admin = Admin.get(name="owner")
    actor = Actor(admin.id, admin.name)
    works = [lambda: factors.recover(actor, admin, codes[1], clock()) for _ in range(6)]
    assert together(database, *works) == [False] * 5 + [True]
    assert factors.codes_left(admin) == factors.CODES - 2
    assert AuditEntry.select().where(AuditEntry.action == "admin.recovered").count() == 2
    assert give_code(halfway(visit), "") == 401


def test_new_recovery_codes_end_the_old_ones(visit: Visit, clock: Clock) -> None:
    """A list that was lost is worth nothing."""
    browser = visit(StaffRole.OWNER)
    _, page = enrol(browser, clock)
    old = re.findall(r"<code>([a-z2-7-]{19})</code>", page)
    answer = browser.post_form("/account/codes", "/account/")
    new = re.findall(r"<code>([a-z2-7-]{19})</code>", answer.text)
    assert len(new) == factors.CODES and not set(new) & set(old)
    assert give_code(halfway(visit), old[0]) == 401
    assert give_code(halfway(visit), new[0]) == 302


def test_the_secret_is_sealed_in_the_table(app: object, clock: Clock) -> None:
    """Who reads the database makes no codes, and cannot give an account another one's secret."""
    admin, other = make_admin(), make_admin(StaffRole.VIEWER)
    secret = give_totp(admin, clock())
    kept = Admin.get(name="owner").totp_secret
    assert kept and secret not in kept and kept.startswith("1.")
    Admin.update(totp_secret=kept).where(Admin.id == other.id).execute()
    stolen = Admin.get(name="viewer")
    assert not Factors(seals()).accept(stolen, code_at(secret, clock()), clock())
    assert not Factors(Seals("another key" * 4)).accept(
        Admin.get(name="owner"), code_at(secret, clock()), clock()
    )


def test_the_secret_key_can_be_changed(app: object, clock: Clock) -> None:
    """With the old key as a fallback codes go on, and what was sealed with it is sealed anew."""
    secret = give_totp(make_admin(), clock())
    both = Factors(Seals("n" * 32, KEY))
    assert both.accept(Admin.get(name="owner"), code_at(secret, clock()), clock())
    clock.pass_(seconds=30)
    alone = Factors(Seals("n" * 32))
    assert alone.accept(Admin.get(name="owner"), code_at(secret, clock()), clock())


def test_a_change_of_the_secret_key_signs_nobody_out(
    secure: Secure, visit: Visit, clock: Clock
) -> None:
    """Sessions go on, and who signs in with a code after it comes in at once."""
    secret = give_totp(make_admin(), clock())
    own = visit(StaffRole.OWNER).get_cookie("steadygram")
    browser = secure(secret_key=Secret("n" * 32), secret_key_fallbacks=(Secret(KEY),))
    browser.post_form("/login", name="owner", password=PASSWORD)
    assert browser.post_form("/login/code", code=code_at(secret, clock())).location == "/"
    assert browser.get("/").status_code == 200
    assert own is not None
    browser.set_cookie("__Host-steadygram", own.value, secure=True)
    assert browser.get("/").status_code == 200


def test_seals_are_for_one_purpose(clock: Clock) -> None:
    """What was sealed for one thing does not open for another, nor in another version."""
    sealed = seals().seal("x", "a", clock())
    assert seals().open(sealed, "a", at=clock()) == "x"
    for forged, purpose in ((sealed, "b"), (f"2{sealed[1:]}", "a"), ("", "a"), ("1.é", "a")):
        with pytest.raises(Broken):
            seals().open(forged, purpose, at=clock())


def test_halfway_in_opens_nothing_and_lasts_five_minutes(visit: Visit, clock: Clock) -> None:
    """Nor does it after the account was changed or closed."""
    secret = give_totp(make_admin(), clock())
    assert visit(None).get("/login/code").location == "/login?next=/"
    browser = halfway(visit)
    assert browser.get("/account/").status_code == 302
    token = browser.token("/login/code")
    for change in ({"disabled": True}, {"disabled": False, "password": "changed"}):
        Admin.update(change).execute()
        data = {"csrf_token": token, "code": code_at(secret, clock())}
        assert browser.post("/login/code", data=data).location == "/login?next=/"
    Admin.update(password=None).execute()
    assert not Session.select().exists()


def test_halfway_in_is_over_after_five_minutes(visit: Visit, clock: Clock) -> None:
    """A form that was left open is no half of a key."""
    secret = give_totp(make_admin(), clock())
    browser = halfway(visit)
    token = browser.token("/login/code")
    clock.pass_(minutes=5)
    data = {"csrf_token": token, "code": code_at(secret, clock())}
    assert browser.post("/login/code", data=data).location == "/login?next=/"


def test_switching_it_on_or_off_ends_all_other_sessions(visit: Visit, clock: Clock) -> None:
    """And gives this one another id, so that a copied cookie is worth nothing."""
    browser, other = visit(StaffRole.OPERATOR), visit(StaffRole.OPERATOR)
    before = browser.get_cookie("steadygram")
    secret, _ = enrol(browser, clock)
    after = browser.get_cookie("steadygram")
    assert before and after and before.value != after.value
    assert other.get("/").status_code == 302 and browser.get("/").status_code == 200
    other.set_cookie("steadygram", before.value)
    assert other.get("/").status_code == 302
    third = halfway(visit, "operator")
    clock.pass_(seconds=30)
    give_code(third, code_at(secret, clock()))
    assert browser.post_form("/account/totp/off", "/account/").status_code == 302
    assert third.get("/").status_code == 302 and browser.get("/").status_code == 200
    assert Admin.get(name="operator").totp_secret is None
    assert not RecoveryCode.select().exists()


def test_codes_confirm_too(visit: Visit, clock: Clock) -> None:
    """A code is as good as the password where it is asked for once more; each once."""
    browser = visit(StaffRole.OWNER)
    secret = give_totp(Admin.get(name="owner"), clock())
    clock.pass_(minutes=11)
    assert browser.get("/account/totp").location == "/confirm?next=/account/totp"
    code = code_at(secret, clock())
    for proof in ("000000", "", "wrong wrong wrong"):
        assert browser.post_form("/confirm", proof=proof).status_code == 401
    done = browser.post_form("/confirm", proof=code, next="/account/totp")
    assert done.location == "/account/totp"
    assert browser.get("/account/totp").status_code == 200
    assert browser.post_form("/confirm", proof=code).status_code == 401


def test_an_owner_in_production_sets_it_up_first(secure: Secure, clock: Clock) -> None:
    """Without it every page leads there, nothing else can be done, and it stays on."""
    browser = secure()
    for role in (StaffRole.OWNER, StaffRole.ADMIN):
        make_admin(role)
    browser.post_form("/login", name="owner", password=PASSWORD)
    for path in ("/", "/account/", "/admins/"):
        assert browser.get(path).location == "/account/totp", path
    token = browser.token("/account/totp")
    made = {"csrf_token": token, "name": "eve", "role": "owner"}
    assert browser.post("/admins/", data=made).location == "/account/totp"
    assert not Admin.get_or_none(Admin.name == "eve")
    enrol(browser, clock)
    assert browser.get("/admins/").status_code == 200
    assert browser.post_form("/account/totp/off", "/account/").status_code == 403
    other = secure()
    other.post_form("/login", name="admin", password=PASSWORD)
    assert other.get("/").status_code == 200


def test_a_link_from_the_bot_is_no_way_round_it(visit: Visit, clock: Clock) -> None:
    """Whoever has somebody's Telegram still needs their code."""
    admin = make_admin()
    Admin.update(telegram_id=1001).execute()
    secret = give_totp(admin, clock())
    browser, path = visit(None), f"/enter/{arrivals.panel_link(1001, clock())}"
    assert browser.post_form(path).location == "/login/code?next=/"
    assert browser.get("/").status_code == 302
    assert give_code(browser, code_at(secret, clock())) == 302
    assert browser.get("/").status_code == 200


def test_the_picture_is_what_authenticators_read(app: object, clock: Clock) -> None:
    """An address of the standard form, with names that need no care."""
    admin = make_admin(name="a+b@example.org")
    address = factors.address(admin, "A" * 32)
    assert isinstance(totp := pyotp.parse_uri(address), pyotp.TOTP)
    assert (totp.name, totp.issuer, totp.interval) == (admin.name, "Steadygram", 30)


def test_times_before_the_switch_are_no_codes(app: object) -> None:
    """The step of the first code is used up: it cannot sign in as well."""
    at, own, admin = datetime(2026, 11, 25, 10), Factors(seals()), make_admin()  # noqa: DTZ001
    secret, sealed = own.offer(admin, at)
    own.turn_on(Actor(admin.id, "x"), admin, sealed, code_at(secret, at), at)
    assert not own.accept(admin, code_at(secret, at), at)
    assert sessions.of(admin, at) == []
