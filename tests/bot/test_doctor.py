"""The doctor: each fault is found and told with its remedy; a look that fails stops no other."""

from __future__ import annotations

import shutil
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from werkzeug import Request, Response

from bot import doctor, machine, reach, stores
from bot.lease import identity
from bot.loader import collect, sources
from bot.probes import Finding, Tone, bad, good, run
from database import Database, Postgres, bind, now, open_database
from models import Inbox, Lease
from sandbox.server import make_app
from sandbox.sockets import open_server
from sandbox.telegram import Telegram
from services import backups
from services.migrations import migrate
from settings import SANDBOX_TOKEN, Secret, Settings
from tests.chaos.town import free_port

AT = datetime(2026, 7, 31, 10, 0)  # noqa: DTZ001  UTC and naive, as in the tables
Serve = Callable[[Any], int]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serve an application on a port of its own, and give it."""
    servers = []

    def start(app: Any) -> int:
        server = open_server(app, 0)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        return int(server.port)

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def page(text: str, status: int = 200, **headers: str) -> Any:
    """An application that answers everything with one text."""

    @Request.application
    def answer(_request: Request) -> Response:
        return Response(text, status, headers={k.replace("_", "-"): v for k, v in headers.items()})

    return answer


def told(found: Iterable[Finding], tone: Tone = Tone.BAD) -> str:
    """What the findings of one tone say, a line each; what is bad says how to mend it."""
    said = [each.said for each in found if each.tone is tone]
    assert tone is not Tone.BAD or all(": " in each for each in said)
    return "\n".join(said)


# The frame


def test_a_look_that_fails_or_hangs_stops_no_other() -> None:
    """It is a finding of its own, which does not show what was raised."""
    hang = threading.Event()

    def fail() -> list[Finding]:
        raise ValueError("swordfish")

    def wait() -> list[Finding]:
        hang.wait()
        return []

    found = run({"fails": fail, "hangs": wait, "works": lambda: [good("Fine.")]}, seconds=0.3)
    hang.set()
    assert list(found) == ["fails", "hangs", "works"]
    assert "ValueError" in told(found["fails"]) and "swordfish" not in told(found["fails"])
    assert "0.3 s" in told(found["hangs"])
    assert found["works"] == [good("Fine.")]


def test_the_exit_code_tells_whether_something_is_wrong(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A line for each finding, and the number of faults."""
    assert doctor.tell({"a": [good("Fine.")]}) == 0
    assert doctor.tell({"a": [good("Fine.")], "b": [bad("Broken: mend it."), bad("x: y.")]}) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "2 to mend." and lines[1] == "Nothing is wrong."
    assert lines[3] == "wrong  b              Broken: mend it."


# This machine


def test_the_versions_are_told() -> None:
    """Those of ours, of Python and of SQLite; the ones that run the tests are new enough."""
    found = list(machine.versions())
    assert "Python 3." in told(found, Tone.NOTE) and told(found) == ""


def test_other_libraries_than_pinned_are_found(tmp_path: Path) -> None:
    """Another version, or none; those for other systems are not asked for."""
    pinned = tmp_path / "requirements.txt"
    assert "not there" in told(machine.libraries(pinned), Tone.NOTE)
    lines = machine.PINNED.read_text().splitlines()
    (peewee,) = [line for line in lines if line.startswith("peewee==")]
    pinned.write_text(f"{peewee}\n    --hash=sha256:0\nnone-such==1 ; sys_platform == 'win32'\n")
    assert told(machine.libraries(pinned)) == ""
    pinned.write_text("peewee==0.1 \\\n    --hash=sha256:0\nnone-such==1\n")
    said = told(machine.libraries(pinned))
    assert "peewee 0.1" in said and "none-such 1 (none" in said and "pip install" in said


def test_what_is_pinned_is_what_is_installed() -> None:
    """The very environment of the tests passes, with every requirement read."""
    assert told(machine.libraries()) == ""
    assert len(machine.pins(machine.PINNED)) > 30


def test_a_full_disk_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Less than a twentieth free; one disk is told once, whatever is on it."""
    settings = Settings(database_url=Secret(f"sqlite:///{tmp_path}/a.db"))
    assert "is free for" in told(machine.disk(settings), Tone.GOOD)
    usage = SimpleNamespace(used=97, free=3)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    both = replace(settings, backup_folder=tmp_path.parent)
    assert told(machine.disk(both)).startswith("Only 3%")
    assert len(list(machine.disk(both))) == 1
    assert len(list(machine.disk(replace(both, backup_folder=Path("/proc"))))) == 2


def test_ports_are_ours_or_free_or_taken(serve: Serve) -> None:
    """What answers as ours do is ours; another program is a fault; nothing is a note."""
    ours, other = serve(page("ok")), serve(page("hello", 404))
    settings = Settings(tokens=(Secret(SANDBOX_TOKEN),), admin_metrics_port=free_port())
    taken = told(machine.ports(replace(settings, metrics_port=other, admin_port=ours)))
    assert f"Port {other}" in taken and "METRICS_PORT" in taken and str(ours) not in taken
    free = replace(settings, metrics_port=free_port(), admin_port=ours)
    assert "METRICS_PORT" in told(machine.ports(free), Tone.NOTE)
    assert told(machine.ports(free)) == ""


def test_the_age_of_the_backup_is_told(tmp_path: Path) -> None:
    """Off is a note; none, or one of the day before yesterday, is a fault."""
    off = Settings()
    assert "BACKUP_FOLDER" in told(machine.last_backup(off, AT), Tone.NOTE)
    settings = replace(off, backup_folder=tmp_path)
    assert "There is none" in told(machine.last_backup(settings, AT))
    (tmp_path / backups.name_of(AT - timedelta(hours=30))).touch()
    assert "30 hours" in told(machine.last_backup(settings, AT))
    (tmp_path / backups.name_of(AT - timedelta(hours=7))).touch()
    assert told(machine.last_backup(settings, AT)) == ""


# The stores


@pytest.fixture
def stored(database: Database, database_url: str) -> Settings:
    """Settings of the open database of the test, on each engine."""
    return Settings(database_url=Secret(database_url), tokens=(Secret(SANDBOX_TOKEN),))


def test_a_database_that_answers_is_fine(stored: Settings, monkeypatch: Any) -> None:
    """With its engine, its version and its time; a slow one is a fault."""
    assert "answers in" in told(stores.database(stored), Tone.GOOD)
    monkeypatch.setattr(stores, "SLOW", 0.0)
    assert "see what loads it" in told(stores.database(stored))


def test_a_database_that_is_away_is_found(tmp_path: Path, database: Database) -> None:
    """A missing file is not made; a refused connection shows no password; others do not repeat."""
    none = Settings(database_url=Secret(f"sqlite:///{tmp_path}/none.db"))
    assert "python -m bot migrate" in told(stores.database(none))
    assert not (tmp_path / "none.db").exists()
    away = Settings(database_url=Secret("postgresql://bot:swordfish@127.0.0.1:1/none"))
    bind(open_database(away.database_url.reveal()))
    found = run(doctor.probes(away), seconds=20)
    said = told(found["database"])
    assert "DATABASE_URL" in said and "swordfish" not in said
    for name in ("migrations", "inbox", "poller", "database time"):
        assert told(found[name]) == "" and "not looked at" in told(found[name], Tone.NOTE)


def test_pending_migrations_are_found(stored: Settings) -> None:
    """Tables that were made without them have none of the history."""
    assert "python -m bot migrate" in told(stores.migrations(collect([])))


def test_a_clock_that_differs_from_the_databases_is_found(database: Database) -> None:
    """On PostgreSQL; SQLite has none of its own."""
    wrong = told(stores.clock(lambda: now() + timedelta(seconds=90)))
    assert told(stores.clock(now)) == ""
    if isinstance(database, Postgres):
        assert "90 s ahead of the database's" in wrong or "89 s" in wrong
    else:
        assert wrong == ""


def test_an_update_that_waits_long_is_found(database: Database) -> None:
    """The oldest that is open, whatever is done."""
    assert "Nothing waits" in told(stores.inbox(AT), Tone.GOOD)
    row = {"bot_id": 1, "lane": 1, "kind": "message", "payload": "{}"}
    old = AT - timedelta(hours=1)
    Inbox.create(**row, update_id=1, state="done", received_at=old)
    Inbox.create(**row, update_id=2, state="new", received_at=AT - timedelta(seconds=5))
    assert told(stores.inbox(AT)) == ""
    Inbox.create(**row, update_id=3, state="queued", received_at=old)
    assert "3600 s" in told(stores.inbox(AT))


@pytest.mark.parametrize(
    ("owner", "beat", "expected"),
    [
        (None, 0, "No process runs"),
        ("", 0, "No process runs"),
        ("elsewhere/x/12/34", 60, "for 60 s"),
        ("gone", 0, "is gone"),
        ("elsewhere/x/12/34", 1, ""),
        ("alive", 1, ""),
    ],
)
def test_who_polls_is_told(stored: Settings, owner: str | None, beat: int, expected: str) -> None:
    """Nobody, one that hangs, or one that died is a fault."""
    mine = identity()
    known = {"alive": mine, "gone": f"{mine.rpartition('/')[0]}/1"}
    if owner is not None:
        at = AT - timedelta(seconds=beat)
        name, holder = f"poller:{SANDBOX_TOKEN.partition(':')[0]}", known.get(owner, owner)
        Lease.create(name=name, owner=holder, fence=1, beats=1, updated_at=at)
    said = told(stores.pollers(stored, AT))
    assert expected in said and bool(said) == bool(expected)


def test_a_redis_that_is_away_is_found(redis_url: str) -> None:
    """None is a note; one that does not answer is a fault, told without its password."""
    assert "not used" in told(stores.cache(Settings()), Tone.NOTE)
    assert told(stores.cache(Settings(redis_url=Secret(redis_url)))) == ""
    away = Secret("redis://:swordfish@127.0.0.1:1/0")
    said = told(stores.cache(Settings(redis_url=away)))
    assert "REDIS_URL" in said and "swordfish" not in said


# Telegram


@pytest.fixture
def reached(serve: Serve) -> tuple[Telegram, Settings]:
    """A Telegram, and settings by which it is called."""
    telegram = Telegram()
    port = serve(make_app(telegram))
    url = f"http://127.0.0.1:{port}"
    return telegram, Settings(tokens=(Secret(SANDBOX_TOKEN),), api_url=url)


def test_telegram_knows_the_bot(reached: tuple[Telegram, Settings]) -> None:
    """By its name, and nothing is wrong."""
    found = list(reach.telegram(reached[1]))
    assert "as @" in told(found, Tone.GOOD) and told(found) == ""


def test_a_token_that_is_unknown_is_found(serve: Serve) -> None:
    """By the bot's id; the token is not shown."""
    port = serve(page('{"ok":false,"error_code":401,"description":"Unauthorized"}', 401))
    token = Secret(SANDBOX_TOKEN)
    settings = Settings(tokens=(token,), api_url=f"http://127.0.0.1:{port}")
    said = told(reach.telegram(settings))
    assert "@BotFather" in said and token.reveal().partition(":")[2] not in said


def test_a_telegram_that_is_away_is_found() -> None:
    """The network's word, and where to look."""
    settings = Settings(tokens=(Secret(SANDBOX_TOKEN),), api_url="http://127.0.0.1:1")
    assert "TELEGRAM_API_URL" in told(reach.telegram(settings))
    assert "did not tell" in told(reach.clock(settings), Tone.NOTE)


def test_a_telegram_that_fails_is_found(serve: Serve) -> None:
    """A 502, or what is no JSON at all."""
    port = serve(page("<html>", 502))
    settings = Settings(tokens=(Secret(SANDBOX_TOKEN),), api_url=f"http://127.0.0.1:{port}")
    assert "502" in told(reach.telegram(settings))


def test_a_webhook_beside_polling_is_found(reached: tuple[Telegram, Settings]) -> None:
    """Telegram would refuse every poll."""
    telegram, settings = reached
    telegram.call(SANDBOX_TOKEN, "setWebhook", {"url": "https://old.example.org/hook"})
    assert "deleteWebhook" in told(reach.telegram(settings))


def test_a_wrong_clock_is_found(serve: Serve) -> None:
    """By the date of Telegram's answer, on both sides."""
    date = "Fri, 31 Jul 2026 10:00:00 GMT"
    settings = Settings(api_url=f"http://127.0.0.1:{serve(page('', Date=date))}")
    settings = replace(settings, tokens=(Secret(SANDBOX_TOKEN),))
    there = 1785492000.0
    assert told(reach.clock(settings, now=lambda: there + 3)) == ""
    assert "60 s ahead" in told(reach.clock(settings, now=lambda: there + 60.5))
    assert "60 s behind" in told(reach.clock(settings, now=lambda: there - 59.5))


def test_another_poller_is_found(serve: Serve) -> None:
    """By the polls that ended with 409, which the running bot counts."""

    def counted(ended: int) -> Settings:
        lines = (
            'bot_api_requests_total{code="200",method="getUpdates"} 900.0\n'
            f'bot_api_requests_total{{code="409",method="getUpdates"}} {ended}.0\n'
            'bot_api_requests_total{code="409",method="sendMessage"} 70.0\n'
        )
        return Settings(metrics_port=serve(page(lines)))

    assert "9 polls of ours" in told(reach.others(counted(9)))
    assert told(reach.others(counted(2))) == ""
    assert "No bot" in told(reach.others(Settings(metrics_port=free_port())), Tone.NOTE)


# All together


def test_everything_is_looked_at(
    reached: tuple[Telegram, Settings],
    stored: Settings,
    capsys: pytest.CaptureFixture[str],
    pytestconfig: pytest.Config,
) -> None:
    """One line or more of each look; the token is in none."""
    settings = replace(stored, api_url=reached[1].api_url, metrics_port=free_port())
    assert doctor.examine(settings) == 1
    said = capsys.readouterr().out
    for name in doctor.probes(settings):
        assert f" {name} " in said
    assert SANDBOX_TOKEN.partition(":")[2] not in said


def test_a_sound_installation_has_nothing_to_mend(
    reached: tuple[Telegram, Settings], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A bot that polls, on a database of this release: exit code 0."""
    url = f"sqlite:///{tmp_path / 'sound.db'}"
    database = bind(open_database(url))
    migrate(database, sources(collect([])))
    with database.connection_context():
        name = f"poller:{SANDBOX_TOKEN.partition(':')[0]}"
        Lease.create(name=name, owner=identity(), fence=1, beats=1)
    database.close_all()
    settings = replace(
        reached[1], database_url=Secret(url), plugins_path=(), metrics_port=free_port()
    )
    settings = replace(settings, admin_port=free_port(), admin_metrics_port=free_port())
    assert doctor.examine(settings) == 0, capsys.readouterr().out
    assert capsys.readouterr().out.endswith("Nothing is wrong.\n")


def test_a_socket_that_never_answers_costs_its_time_alone() -> None:
    """A Telegram and a Redis that take the connection and are silent: the others are told."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        settings = Settings(
            tokens=(Secret(SANDBOX_TOKEN),),
            api_url=f"http://127.0.0.1:{port}",
            redis_url=Secret(f"redis://127.0.0.1:{port}/0"),
            metrics_port=free_port(),
        )
        found = run(doctor.probes(settings), seconds=1.0)
    assert "1 s" in told(found["telegram"]) and "1 s" in told(found["redis"])
    assert told(found["libraries"]) == ""
