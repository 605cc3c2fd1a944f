"""The doctor: each fault is found and told with its remedy; a look that fails stops no other."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from werkzeug import Request, Response

from bot import doctor, reach
from bot.lease import identity
from bot.loader import collect, sources
from bot.probes import Finding, Tone, bad, good, run
from database import Database, bind, open_database
from models import Lease
from sandbox.server import make_app
from sandbox.telegram import Telegram
from services.migrations import migrate
from settings import SANDBOX_TOKEN, Secret, Settings
from tests.bot.looks import PROMETHEUS, Serve, page, serving, told
from tests.ports import free_port


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serve an application on a port of its own, and give it."""
    with serving() as start:
        yield start


@pytest.fixture
def stored(database: Database, database_url: str) -> Settings:
    """Settings of the open database of the test, on each engine."""
    return Settings(database_url=Secret(database_url), tokens=(Secret(SANDBOX_TOKEN),))


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


def test_a_foreign_webhook_is_found(reached: tuple[Telegram, Settings]) -> None:
    """In the mode of webhooks another address than ours, or none; ours is right."""
    telegram, settings = reached
    ours = replace(settings, mode="webhook", webhook_url="https://bot.example.org/hook")
    assert "restart the bot" in told(reach.telegram(ours))
    telegram.call(SANDBOX_TOKEN, "setWebhook", {"url": "https://old.example.org/hook"})
    assert "another webhook" in told(reach.telegram(ours))
    telegram.call(SANDBOX_TOKEN, "setWebhook", {"url": ours.webhook_url})
    assert told(reach.telegram(ours)) == ""


def test_a_wrong_clock_is_found(serve: Serve) -> None:
    """By the date of Telegram's answer, on both sides."""
    date = "Fri, 31 Jul 2026 10:00:00 GMT"
    settings = Settings(api_url=f"http://127.0.0.1:{serve(page('', Date=date))}")
    settings = replace(settings, tokens=(Secret(SANDBOX_TOKEN),))
    there = 1785492000.0
    assert told(reach.clock(settings, now=lambda: there + 5.5)) == ""
    assert "ahead" in told(reach.clock(settings, now=lambda: there + 5.6))
    assert "60 s ahead" in told(reach.clock(settings, now=lambda: there + 60.5))
    assert "60 s behind" in told(reach.clock(settings, now=lambda: there - 59.5))


def test_another_poller_is_found(serve: Serve) -> None:
    """By the polls that end with 409 while it looks, which the running bot counts."""
    count = [0]

    @Request.application
    def answer(_request: Request) -> Response:
        return Response(
            'bot_api_requests_total{code="200",method="getUpdates"} 900.0\n'
            f'bot_api_requests_total{{code="409",method="getUpdates"}} {count[0]}.0\n'
            'bot_api_requests_total{code="409",method="sendMessage"} 70.0\n'
        )

    settings = Settings(metrics_port=serve(answer))

    def look(before: int, later: int) -> list[Finding]:
        count[0] = before
        return list(reach.others(settings, sleep=lambda _: count.__setitem__(0, later)))

    assert "9 polls of ours since the bot's process started" in told(look(8, 9))
    assert "4 polls of ours" in told(look(4, 4), Tone.NOTE) and told(look(4, 4)) == ""
    assert "Nobody else" in told(look(3, 9), Tone.GOOD), "it does not wait for a second look"


def test_nobody_notices_a_poller_without_a_bot_of_ours(serve: Serve) -> None:
    """None that runs, or another program that has metrics."""
    for port in (free_port(), serve(page(PROMETHEUS))):
        assert "No bot" in told(reach.others(Settings(metrics_port=port)), Tone.NOTE)


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
    wanted = (
        *("versions", "libraries", "disk", "ports", "backup", "database", "redis", "telegram"),
        *("time", "other poller", "migrations", "database time", "inbox", "poller"),
    )
    assert set(doctor.probes(settings)) == set(wanted)
    for name in wanted:
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
