"""The system page: what runs here, no secret of it, and why nothing happened."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import redis

from admin import facts
from admin.panel import Panel
from bot.loader import load
from database import Database
from models import AnalyticsEvent, Bot, Inbox, Lease, Role, User
from services import backups
from settings import Secret, Settings
from staff import StaffRole
from tests.admin.conftest import KEY, Clock, Visit
from tests.plans import statements, walks

PLUGINS = (Path(__file__).parents[1] / "bot" / "plugins",)
TOKEN = "1000000001:sandbox_sandbox_sandbox_sandbox_000"


@pytest.fixture
def panel(database: Database, clock: Clock) -> Panel:
    """A panel of the trial plugins, with a secret in every setting that can hold one."""
    settings = Settings(
        tokens=(Secret(TOKEN),),
        secret_key=Secret(KEY),
        api_url="https://ada:hush@telegram.example",
        webhook_secret=Secret("hush" * 9),
        plugins_path=PLUGINS,
    )
    panel = Panel(settings, load(PLUGINS), clock=clock)
    panel.registry.bind(panel.switches.on, panel.preferences.get)
    return panel


def explained(visit: Visit, **form: str) -> tuple[int, str]:
    """Status and words of an explanation."""
    browser = visit(StaffRole.ADMIN)
    answer = browser.post_form("/system/why", "/system/", **form)
    return answer.status_code, re.sub(r"<[^>]+>|\s+", " ", answer.text)


def test_the_page_says_what_runs_here(visit: Visit, clock: Clock) -> None:
    """Versions, engine and size, migrations, disk, processes, what waits, and leases."""
    Lease.create(name="poller:7", owner="host/x/1/2", fence=3, beats=1, updated_at=clock())
    page = visit(StaffRole.ADMIN).get("/system/").text
    assert all(word in page for word in ("Steadygram", "peewee", "Disk free", "poller:7"))
    assert re.search(r"(SQLite|PostgreSQL) \d+", page)
    assert "core/001_initial" in page, "a database made without migrations has them pending"
    assert "not used: REDIS_URL is not set" in page


def test_no_secret_is_on_the_page(visit: Visit) -> None:
    """Tokens, keys, passwords in addresses: masked; that they are set is said."""
    page = visit(StaffRole.ADMIN).get("/system/").text
    assert not [word for word in (TOKEN[11:], KEY, "hush") if word in page]
    assert "https://•••@telegram.example" in page and "redis_url" in page


def test_every_setting_is_shown(panel: Panel) -> None:
    """A setting that is added is on the page without further work, a secret one masked."""
    shown = {fact.name: fact.value for fact in facts.settings_of(panel.settings)}
    assert set(shown) == set(Settings.__slots__)
    assert (shown["secret_key"], shown["redis_url"], shown["tokens"]) == ("•••", "not set", "•••")


def test_redis_is_asked_whether_it_answers(redis_url: str) -> None:
    """One that answers is good; one that is away is said to be, and breaks no page."""
    there, away = redis.Redis.from_url(redis_url), redis.Redis(port=1)
    assert (facts.cache(there).tone, facts.cache(away).tone) == ("good", "bad")
    there.close()


def test_the_last_backup_is_told(visit: Visit, clock: Clock, tmp_path: Path) -> None:
    """Off, none yet, an old one and one of today; the page has it."""
    off = Settings()
    on = replace(off, backup_folder=tmp_path)
    assert "Last backup" in visit(StaffRole.ADMIN).get("/system/").text
    assert (facts.backup(off, clock()).tone, facts.backup(on, clock()).tone) == ("warn", "bad")
    for hours, tone in ((30, "bad"), (7, "good")):
        (tmp_path / backups.name_of(clock() - timedelta(hours=hours))).touch()
        fact = facts.backup(on, clock())
        assert (fact.tone, f"{hours} hours ago" in fact.value) == (tone, True)


@pytest.mark.parametrize(
    ("count", "said"),
    [(0, "0 B"), (2048, "2 KiB"), (3 * 2**30, "3.0 GiB"), (2**60, "1048576.0 TiB")],
)
def test_sizes_are_said_as_people_do(count: int, said: str) -> None:
    """The largest unit of which there is one."""
    assert facts.size_of(count) == said


def test_the_page_walks_through_no_big_table(visit: Visit, database: Database) -> None:
    """What it asks the database about itself and about what waits is found by indexes."""
    browser = visit(StaffRole.ADMIN)
    with statements() as run:
        browser.get("/system/")
    assert walks(database, run, small={"leases", "bots", "migratehistory"}) == set()


def test_an_explanation_by_id_and_by_name(visit: Visit) -> None:
    """The person is meant by number or by @name; the chat is private unless one is given."""
    User.create(telegram_id=5, first_name="Eve", username="Eve_5")
    for user in ("5", "@eve_5", "EVE_5"):
        status, said = explained(visit, user=user, text="/ping")
        assert status == 200 and "trial.ping takes it" in said
    _, said = explained(visit, user="5", text="/secret")
    assert "It needs the role admin" in said and "denied" in said
    _, said = explained(visit, user="5", text="trial:go", kind="button")
    assert "trial.go takes it" in said
    _, said = explained(visit, user="5", chat="-100123", text="/ping")
    assert "privacy mode" in said


def test_an_explanation_follows_the_switches(visit: Visit, panel: Panel) -> None:
    """What was switched off by another process a moment ago is off in the explanation."""
    panel.switches.set("trial", False)
    panel.switches._off = frozenset()
    assert "switched off everywhere" in explained(visit, user="5", text="/ping")[1]


def test_an_explanation_writes_nothing(visit: Visit, clock: Clock) -> None:
    """Nobody becomes known, nothing is counted, nothing waits because of it."""
    status, said = explained(visit, user="77", text="/boom")
    assert status == 200 and "77 is new" in said
    assert [model.select().count() for model in (User, AnalyticsEvent, Inbox)] == [0, 0, 0]
    Bot.create(id=1000000001, username="steady_bot", name="Steady")
    assert "@steady_bot" in explained(visit, user="77", text="/ping@other")[1]


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"user": "5"},
        {"user": "", "text": "x"},
        {"user": "-5", "text": "x"},
        {"user": "@nobody", "text": "x"},
        {"user": "9" * 30, "text": "x"},
        {"user": "\0", "text": "x"},
        {"user": "٥", "text": "x"},
        {"user": "5", "text": "x" * 4097},
        {"user": "5", "text": "x", "chat": "abc"},
        {"user": "5", "text": "x", "chat": "1" * 20},
        {"user": "5", "text": "x", "bot": "6"},
        {"user": "5\n", "text": "x", "bot": "9" * 20},
    ],
)
def test_an_unclear_question_is_a_bad_request(visit: Visit, form: dict[str, str]) -> None:
    """What cannot be meant is said in a sentence."""
    assert explained(visit, **form)[0] == 400


@pytest.mark.parametrize(
    "text", ["\0", "\ud800", "/\0", "<script>alert(1)</script>", "\u200b", "/" * 4096]
)
def test_odd_texts_are_explained(visit: Visit, text: str) -> None:
    """Whatever can be typed, and more, is a text like any other, and stays one."""
    browser = visit(StaffRole.ADMIN)
    token = browser.token("/system/")
    body = {"csrf_token": token, "user": "5", "text": text.encode("utf-8", "surrogatepass")}
    answer = browser.post("/system/why", data=body)
    assert answer.status_code == 200 and "<script>alert" not in answer.text


def test_operators_see_no_system(visit: Visit) -> None:
    """The page is for admins."""
    assert visit(StaffRole.OPERATOR).get("/system/").status_code == 403
    User.create(telegram_id=1, first_name="x", role=Role.OWNER)
    assert "System" not in visit(StaffRole.OPERATOR).get("/").text


def test_the_application_without_an_explanation_needs_no_library_of_bots() -> None:
    """Workers stay small: telebot comes with the first question."""
    code = "import sys, admin.app; sys.exit('telebot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
