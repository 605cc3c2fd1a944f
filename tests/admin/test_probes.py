"""The probes: alive whatever happens, and ready only when everything works."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from peewee_migrate.models import MigrateHistory

from admin.panel import Panel
from admin.probes import Probes
from database import Database, bind, open_database
from models import Inbox, Lease
from services import migrations, pulse
from settings import SANDBOX_TOKEN
from staff import StaffRole
from tests.admin.conftest import Clock, Visit

BOT = int(SANDBOX_TOKEN.partition(":")[0])


@pytest.fixture
def ready(database: Database, clock: Clock) -> None:
    """A bot that runs, on tables that are up to date."""
    MigrateHistory.bind(database)
    database.create_tables([MigrateHistory])
    for name in migrations.core().names:
        MigrateHistory.create(name=name)
    Lease.create(name=f"poller:{BOT}", owner="somebody", fence=1, beats=9, updated_at=clock())


@pytest.fixture
def probes(panel: Panel) -> Probes:
    """The probes, which look each time they are asked."""
    panel.ticks = iter(range(0, 10_000, 10)).__next__
    return Probes(panel)


def wait_since(clock: Clock, **time: float) -> None:
    """Put an update into the inbox, a while ago."""
    then = clock() - timedelta(**time)
    Inbox.create(bot_id=BOT, update_id=1, lane=1, kind="message", state="new", received_at=then)


def test_alive_is_one_word_for_everybody(visit: Visit) -> None:
    """No version, no cookie, nothing else."""
    for role in (None, StaffRole.OWNER):
        answer = visit(role).get("/healthz")
        assert (answer.status_code, answer.text) == (200, "ok\n")
        assert "Set-Cookie" not in answer.headers


@pytest.mark.usefixtures("ready", "own_app")  # a shared one keeps what it found for a second
def test_ready_is_said_of_each_part(visit: Visit) -> None:
    """200 when all is well."""
    answer = visit(None).get("/readyz")
    assert answer.status_code == 200
    said = {"database": "ok", "migrations": "ok", "inbox": "ok", "poller": "ok"}
    assert answer.json == {"ready": True, **said}


@pytest.mark.usefixtures("ready")
def test_an_update_that_waits_for_long_is_not_ready(probes: Probes, clock: Clock) -> None:
    """Five minutes are too many; one that is done does not count."""
    wait_since(clock, minutes=4)
    assert probes.look()["inbox"] == "ok"
    clock.pass_(minutes=2)
    assert probes.look()["inbox"] == "an update waits for 360 s"
    Inbox.update(state="done", done_at=clock()).execute()
    assert probes.look()["inbox"] == "ok"


@pytest.mark.usefixtures("ready")
def test_a_bot_that_is_silent_is_not_ready(probes: Probes, clock: Clock) -> None:
    """Whoever polls says so every second."""
    clock.pass_(seconds=29)
    assert probes.look()["poller"] == "ok"
    clock.pass_(seconds=2)
    assert probes.look()["poller"] == "silent for 31 s"
    Lease.update(owner="").execute()
    assert probes.look()["poller"] == "not running"


@pytest.mark.usefixtures("ready")
def test_of_several_bots_the_worst_is_told(clock: Clock) -> None:
    """One that never ran is worse than one that is silent."""
    later = clock() + timedelta(seconds=9)
    assert pulse.silence([BOT], later) == 9
    assert pulse.silence([BOT, 7], later) is None
    Lease.create(name="poller:7", owner="another", fence=1, beats=1, updated_at=later)
    assert pulse.silence([BOT, 7], later) == 9


def test_tables_of_another_release_are_not_ready(probes: Probes) -> None:
    """How many migrations are missing is told, and nothing else is asked."""
    waiting = len(migrations.core().names)
    assert probes.look() == {"database": "ok", "migrations": f"{waiting} pending"}


def test_without_a_database_the_panel_is_alive_and_not_ready(
    own_app: Flask, visit: Visit, database: Database
) -> None:
    """Also for somebody with a session; pages are 503, and say nothing of the database."""
    browser = visit(StaffRole.OWNER)
    bind(open_database("postgresql://nobody:hidden@127.0.0.1:1/nothing"))
    try:
        assert browser.get("/healthz").status_code == 200
        answer = browser.get("/readyz")
        assert (answer.status_code, answer.json) == (
            503,
            {"ready": False, "database": "cannot be reached"},
        )
        for path in ("/", "/login"):
            page = browser.get(path)
            assert page.status_code == 503 and page.headers["Retry-After"] == "2"
            assert "hidden" not in page.text and "127.0.0.1" not in page.text
        with browser.get("/static/panel.css") as file:
            assert file.status_code == 200
    finally:
        bind(database)


@pytest.mark.usefixtures("ready")
def test_who_asks_often_costs_the_database_nothing(panel: Panel) -> None:
    """Within a second the same is said again; a bug is no outage, and is not hidden."""
    times, probes = [0.0], Probes(panel)
    panel.ticks = lambda: times[0]
    assert probes.look()["poller"] == "ok"
    Lease.delete().execute()
    times[0] = 0.9
    assert probes.look()["poller"] == "ok"
    times[0] = 1.0
    assert probes.look()["poller"] == "not running"


def test_nobody_waits_for_one_who_looks(panel: Panel) -> None:
    """While a database hangs, the others are told what was found before."""

    class Hanging(Probes):
        def examine(self) -> dict[str, str]:
            looking.set()
            assert go_on.wait(10)
            return {"database": "ok"}

    looking, go_on, got = threading.Event(), threading.Event(), list[Any]()
    probes = Hanging(panel)
    first = threading.Thread(target=lambda: got.append(probes.look()))
    first.start()
    assert looking.wait(10)
    assert probes.look() == {"database": "not looked at yet"}
    go_on.set()
    first.join()
    assert got == [{"database": "ok"}]
