"""Attempts to sign in: limited for an account and an address, over all workers and restarts."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from admin.app import create_app
from admin.panel import Panel
from bot.testing import ROOT
from database import Database
from services import admins, attempts
from services.attempts import Attempts, TooMany
from staff import Admin, Attempt, Session, StaffRole
from tests.admin.conftest import (
    KEY,
    PASSWORD,
    Browser,
    Clock,
    Visit,
    code_at,
    give_totp,
    make_admin,
)
from tests.together import run_together

WRONG = "wrong wrong wrong"
ELSEWHERE = "192.0.2.7"


class Door:
    """A browser at the sign-in, whose token is fetched once."""

    def __init__(self, app: Flask, remote: str = "127.0.0.1") -> None:
        app.test_client_class = Browser
        browser = app.test_client()
        assert isinstance(browser, Browser)
        self.browser, self.remote = browser, remote
        self.token = browser.token("/login")

    def try_(self, password: str = WRONG, name: str = "owner", **headers: str) -> TestResponse:
        """Give name and password."""
        return self.browser.post(
            "/login",
            data={"csrf_token": self.token, "name": name, "password": password},
            environ_base={"REMOTE_ADDR": self.remote},
            headers=headers,
        )


def test_twenty_wrong_passwords_over_four_workers(panel: Panel, database: Database) -> None:
    """At most five are looked at; the others are refused and told when to come again."""
    make_admin()
    doors = [Door(create_app(panel)) for _ in range(4)]
    answers: list[TestResponse] = []

    def guess(door: Door) -> Callable[[], None]:
        def work() -> None:
            answers.extend(door.try_() for _ in range(5))
            database.close()

        return work

    run_together(*map(guess, doors))
    codes = Counter(answer.status_code for answer in answers)
    assert codes[429] >= 15 and set(codes) == {401, 429}
    refused = [answer for answer in answers if answer.status_code == 429]
    assert all(1 <= int(answer.headers["Retry-After"]) <= 60 for answer in refused)


WORKER = """
import sys
from settings import load
from database import bind, db, open_database
from services import attempts
from services.attempts import Attempts, TooMany
from datetime import datetime
bind(open_database(sys.argv[1]))
counted = 0
print("ready", flush=True)
sys.stdin.readline()
with db.connection_context():
    for _ in range(5):
        try:
            Attempts("k" * 32).count(datetime.fromisoformat(sys.argv[2]), attempts.account("owner"))
            counted += 1
        except TooMany:
            pass
print(counted)
"""


def test_four_processes_share_one_limit(
    database: Database, database_url: str, clock: Clock
) -> None:
    """What one worker counted, the others know: four of twenty attempts pass."""
    command = [sys.executable, "-c", WORKER, database_url, clock().isoformat()]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    workers = [subprocess.Popen(command, cwd=ROOT, text=True, **pipes) for _ in range(4)]  # type: ignore[call-overload]
    for worker in workers:
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        worker.stdin.write("go\n")
        worker.stdin.flush()
    counted = [int(worker.communicate(timeout=60)[0]) for worker in workers]
    assert sum(counted) == 4


def test_without_the_table_every_guess_is_looked_at(app: Flask) -> None:
    """The control: a panel that forgets what it counted refuses nothing."""
    make_admin()
    door, codes = Door(app), []
    for _ in range(20):
        codes.append(door.try_().status_code)
        Attempt.delete().execute()
    assert codes == [401] * 20


def test_a_restart_forgets_nothing(panel: Panel) -> None:
    """A new application on the same database goes on where the old one was."""
    make_admin()
    first = Door(create_app(panel))
    assert [first.try_().status_code for _ in range(5)] == [401] * 4 + [429]
    second = Door(create_app(panel))
    answer = second.try_(PASSWORD)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "15")
    assert "Too many attempts" in answer.text
    assert not Session.select().exists()


def test_a_refused_attempt_costs_nothing(app: Flask, clock: Clock) -> None:
    """The password is not hashed, so that a flood does not take the processor."""
    make_admin()
    door = Door(app)
    looked: list[float] = []
    refused: list[float] = []
    for _ in range(12):
        begun = time.thread_time()
        code = door.try_().status_code
        (looked if code == 401 else refused).append(time.thread_time() - begun)
    assert statistics.median(refused) < statistics.median(looked) / 2


def test_the_right_password_works_again_within_a_minute(app: Flask, clock: Clock) -> None:
    """However long others tried, from however many addresses, no account is locked for good."""
    make_admin()
    for number in range(40):
        Door(app, f"198.51.100.{number}").try_()
        clock.pass_(seconds=61)
    owner = Door(app, ELSEWHERE)
    assert owner.try_().status_code == 401
    assert owner.try_(PASSWORD).status_code == 429
    clock.pass_(seconds=60)
    assert owner.try_(PASSWORD).status_code == 302


def test_who_signs_in_begins_anew(app: Flask, clock: Clock) -> None:
    """Four mistakes, a pause, the right password: the next mistakes are free again."""
    make_admin()
    door = Door(app)
    for _ in range(2):
        assert [door.try_().status_code for _ in range(5)] == [401] * 4 + [429]
        clock.pass_(seconds=16)
        assert door.try_(PASSWORD).status_code == 302
        door = Door(app)


def test_an_address_that_tries_many_names_is_refused(app: Flask, clock: Clock) -> None:
    """Ten names, known or not; a password of one's own does not give the tries back."""
    make_admin()
    make_admin(StaffRole.VIEWER, "mallory")
    door = Door(app)
    codes = []
    for number in range(12):
        codes.append(door.try_(name=f"nobody{number}").status_code)
        if number < 5:
            assert Door(app).try_(PASSWORD, "mallory").status_code == 302
    assert codes == [401] * 10 + [429] * 2
    assert Door(app).try_(PASSWORD, "mallory").status_code == 429
    assert Door(app, ELSEWHERE).try_(PASSWORD).status_code == 302


def test_spoofed_headers_change_nothing(app: Flask) -> None:
    """Without a proxy that we were told of, X-Forwarded-For is what anybody may write."""
    make_admin()
    door = Door(app)
    codes = [
        door.try_(name=f"x{n}", **{"X-Forwarded-For": f"10.0.0.{n}"}).status_code for n in range(12)
    ]
    assert codes[10:] == [429, 429]
    Door(app, ELSEWHERE).try_(PASSWORD, **{"X-Forwarded-For": "10.1.1.1", "X-Real-Ip": "10.1.1.1"})
    assert [session.address for session in Session.select()] == [ELSEWHERE]


def test_codes_are_guessed_no_faster(visit: Visit, clock: Clock) -> None:
    """Of twenty codes in a row four are looked at, and a day has room for a hundred."""
    secret = give_totp(make_admin(), clock())
    browser = visit(None)
    browser.post_form("/login", name="owner", password=PASSWORD)
    token = browser.token("/login/code")

    def guess(code: str) -> int:
        return browser.post("/login/code", data={"csrf_token": token, "code": code}).status_code

    wrong = f"{(int(code_at(secret, clock())) + 500_000) % 1_000_000:06}"
    assert [guess(wrong) for _ in range(20)].count(429) >= 15
    subject, limits = attempts.proof("code", 1), Attempts(KEY)
    counted = 0
    for _ in range(24 * 60 * 4):
        clock.pass_(seconds=15)
        try:
            limits.count(clock(), subject)
            counted += 1
        except TooMany:
            pass
    assert 90 <= counted <= 110


def test_the_name_is_counted_however_it_is_written(app: Flask) -> None:
    """Capital letters and blanks are no new account."""
    make_admin()
    door = Door(app)
    names = ["owner", "OWNER", " owner", "Owner ", "oWner"]
    assert [door.try_(name=name).status_code for name in names] == [401] * 4 + [429]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:192.0.2.7", ELSEWHERE, True),
        ("192.0.2.8", ELSEWHERE, False),
    ],
)
def test_an_address_is_counted_with_its_network(one: str, other: str, same: bool) -> None:
    """Whoever has an address of IPv6 has 2^64 of them."""
    assert (attempts.address(one) == attempts.address(other)) is same


def test_the_table_names_nobody(app: Flask) -> None:
    """Names, among them passwords typed into the wrong field, and addresses are digests."""
    Door(app, ELSEWHERE).try_(name="my secret password")
    kept = repr(list(Attempt.select().dicts()))
    assert "secret" not in kept and ELSEWHERE not in kept
    assert attempts.account("x").name.encode().hex() not in kept


def test_old_counters_are_swept(app: Flask, clock: Clock) -> None:
    """After an hour an account and an address begin anew, and nothing is kept."""
    Door(app).try_()
    clock.pass_(minutes=61)
    assert admins.sweep(clock()) == 2
    assert not Attempt.select().exists()


def test_it_takes_as_long_whatever_was_wrong(app: Flask, clock: Clock) -> None:
    """An unknown name, a wrong password and a closed account: the least times are within a fifth.

    What else the machine does can only add to them, so it is tried until they are.
    """
    make_admin()
    make_admin(name="closed")
    Admin.update(disabled=True).where(Admin.name == "closed").execute()
    door = Door(app)
    least = dict.fromkeys(("owner", "closed", "nobody", "\0"), float("inf"))
    for turn in range(60):
        for name, was in least.items():
            clock.pass_(hours=2)
            begun = time.thread_time()
            answer = door.try_(PASSWORD if name == "closed" else WRONG, name)
            least[name] = min(was, time.thread_time() - begun)
            assert answer.status_code == 401
        if turn >= 6 and max(least.values()) < 1.2 * min(least.values()):
            return
    raise AssertionError(least)
