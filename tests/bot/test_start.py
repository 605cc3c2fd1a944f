"""`make run`: free ports, migrations first, and the right processes."""

from __future__ import annotations

import dataclasses
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import honcho.manager
import pytest

from bot import start
from database import Database, bind, now
from services import links
from settings import Secret, Settings, SettingsError
from staff import Admin, StaffRole
from tests.ports import free_port

TOKEN = "123456789:" + "AbCdEfGhIj_-0123456789AbCdEfGhIj012"


class Calls:
    """Programs that were started, with the exit codes they are to have."""

    def __init__(self, *codes: int) -> None:
        self.codes = list(codes)
        self.made: list[list[str]] = []
        self.environs: list[Mapping[str, str]] = []

    def __call__(self, command: Sequence[str], environ: Mapping[str, str]) -> int:
        self.made.append(list(command[2:]))
        self.environs.append(environ)
        return self.codes.pop(0)


@pytest.fixture
def settings(database: Database, database_url: str) -> Settings:
    names = ("metrics_port", "sandbox_port", "admin_port", "admin_metrics_port")
    ports = {name: free_port() for name in names}
    url = Secret(database_url)
    return Settings(**ports, database_url=url, log_format="console")  # type: ignore[arg-type]


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def test_the_sandbox_is_started_without_a_token(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """Migrations, then the bot and the sandbox; the address of the chat page is printed."""
    calls = Calls(0, 0)
    assert start.up(settings, call=calls) == 0
    assert calls.made == [
        ["bot", "migrate"],
        [start.HONCHO, "start", "-e", os.devnull, "bot", "web", "sandbox"],
    ]
    said = capsys.readouterr().out
    assert f"http://localhost:{settings.sandbox_port}/" in said
    assert f"{settings.admin_url}/" in said


def test_the_first_owner_is_shown_the_way_until_there_is_one(
    settings: Settings, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    """A link that can be used; none once the panel has an owner."""
    start.up(settings, call=Calls(0, 0))
    said = capsys.readouterr().out
    found = re.search(rf"{settings.admin_url}/setup/(\S+)", said)
    bind(database)
    assert found and links.find(found[1], links.Purpose.SET_UP, now())
    Admin.create(name="ada", role=StaffRole.OWNER)
    start.up(settings, call=Calls(0, 0))
    assert "/setup/" not in capsys.readouterr().out


def test_in_production_the_panel_must_know_its_names(settings: Settings) -> None:
    """Otherwise nothing is started, not even halfway."""
    own = dataclasses.replace(settings, environment="production", tokens=(Secret(TOKEN),))
    calls = Calls()
    with pytest.raises(SettingsError, match="TRUSTED_HOSTS"):
        start.up(own, call=calls)
    assert calls.made == []


def test_the_bot_runs_while_its_port_is_taken(settings: Settings, taken: int) -> None:
    """That is how the sandbox knows that somebody may still call it."""
    assert not start.bot_runs(settings)
    assert start.bot_runs(dataclasses.replace(settings, metrics_port=taken))


def test_the_processes_get_time_to_end() -> None:
    """The name that is set is the one that honcho reads."""
    assert honcho.manager.KILL_WAIT == 5
    assert f"manager.KILL_WAIT = {start.PATIENCE}" in start.HONCHO


def test_with_a_token_the_bot_alone_is_started(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing of the sandbox, also not its port, and no token in what is printed or in argv."""
    calls = Calls(0, 0)
    own = dataclasses.replace(settings, tokens=(Secret(TOKEN),), sandbox_port=1)
    start.up(own, call=calls)
    assert calls.made[1][-2:] == ["bot", "web"]
    said = capsys.readouterr().out
    assert "Telegram" in said
    assert TOKEN not in said + str(calls.made)


def test_nothing_is_started_when_migrations_fail(settings: Settings) -> None:
    """The exit code of the migrations is ours."""
    calls = Calls(1)
    assert start.up(settings, call=calls) == 1
    assert len(calls.made) == 1


@pytest.mark.parametrize(("code", "expected"), [(130, 0), (143, 0), (1, 1)])
def test_a_stop_by_hand_is_no_failure(settings: Settings, code: int, expected: int) -> None:
    """Ctrl-C is exit code 0; the code of a process that failed is kept."""
    assert start.up(settings, call=Calls(0, code)) == expected


def test_children_use_our_python_and_log_form(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The Procfile's `python` is the running one; the log form is settled where the terminal is."""
    monkeypatch.setenv("LOG_FORMAT_FILE", "/run/secrets/log_format")
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "/run/counts")
    calls = Calls(0, 0)
    start.up(settings, call=calls)
    environ = calls.environs[1]
    assert "LOG_FORMAT_FILE" not in environ and "PROMETHEUS_MULTIPROC_DIR" not in environ
    assert environ["PATH"].split(os.pathsep)[0] == str(Path(sys.executable).parent)
    assert environ["LOG_FORMAT"] == "console"


PORTS = ["METRICS_PORT", "SANDBOX_PORT", "ADMIN_PORT", "ADMIN_METRICS_PORT"]


@pytest.mark.parametrize("name", PORTS)
def test_a_busy_port_is_said_in_one_sentence(settings: Settings, taken: int, name: str) -> None:
    """The sentence names the port and the setting to change; nothing is started."""
    busy = dataclasses.replace(settings, **{name.lower(): taken})  # type: ignore[arg-type]
    calls = Calls()
    with pytest.raises(SettingsError) as caught:
        start.up(busy, call=calls)
    assert f"Port {taken} " in str(caught.value)
    assert f"set {name} " in str(caught.value)


def test_every_process_is_in_the_procfile(settings: Settings) -> None:
    """The Procfile knows the names that we give to honcho."""
    lines = (Path(__file__).parent.parent.parent / "Procfile").read_text().splitlines()
    assert {line.partition(":")[0] for line in lines} >= set(start.processes(settings))


def test_a_child_gives_its_exit_code() -> None:
    """`run_child` waits to the end."""
    assert start.run_child([sys.executable, "-c", "raise SystemExit(3)"], os.environ) == 3


CHILD = """
import signal, sys
def stop(number, _frame):
    sys.exit(40 + number)
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, stop)
print("ready", flush=True)
signal.pause()
"""

PARENT = f"""
import os, sys
from bot.start import run_child
sys.exit(run_child([sys.executable, "-c", {CHILD!r}], os.environ))
"""


@pytest.mark.parametrize(
    ("sent", "passed"),
    [
        (signal.SIGINT, signal.SIGINT),
        (signal.SIGTERM, signal.SIGTERM),
        (signal.SIGHUP, signal.SIGTERM),
    ],
)
def test_a_signal_to_us_ends_the_child(sent: int, passed: int) -> None:
    """Ctrl-C, a stop and a closed terminal go on to the child, and we end with it."""
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"ready\n"
        time.sleep(0.05)
        parent.send_signal(sent)
        assert parent.wait(10) == 40 + passed
