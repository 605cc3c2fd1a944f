"""What the doctor finds on this machine: versions, libraries, the disk, ports, the backup."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bot import machine
from bot.probes import Tone
from services import backups
from settings import SANDBOX_TOKEN, Secret, Settings
from tests.bot.looks import AT, PROMETHEUS, Serve, page, serving, told
from tests.ports import free_port


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serve an application on a port of its own, and give it."""
    with serving() as start:
        yield start


def test_the_versions_are_told() -> None:
    """Those of ours, of Python and of SQLite; the ones that run the tests are new enough."""
    found = list(machine.versions())
    assert "Python 3." in told(found, Tone.NOTE) and told(found) == ""


@pytest.mark.parametrize(("name", "what"), [("PYTHON", "Python"), ("SQLITE", "SQLite")])
def test_a_version_that_is_too_old_is_found(
    monkeypatch: pytest.MonkeyPatch, name: str, what: str
) -> None:
    """Each for itself; the oldest that will do are those of the documents."""
    assert (machine.PYTHON, machine.SQLITE) == ((3, 11), (3, 35))
    monkeypatch.setattr(machine, name, (99, 0))
    assert told(machine.versions()).startswith(f"{what} is too old")


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
    usage.used, usage.free = 951, 49
    assert told(machine.disk(both)).startswith("Only 5%")
    usage.used, usage.free = 949, 51
    assert told(machine.disk(both)) == ""
    assert len(list(machine.disk(both))) == 1
    assert len(list(machine.disk(replace(both, backup_folder=Path("/proc"))))) == 2


def test_ports_are_ours_or_free_or_taken(serve: Serve) -> None:
    """What answers as ours do is ours; another program is a fault; nothing is a note."""
    ours, other = serve(page("ok\n")), serve(page("hello", 404))
    settings = Settings(tokens=(Secret(SANDBOX_TOKEN),), admin_metrics_port=free_port())
    taken = told(machine.ports(replace(settings, metrics_port=other, admin_port=ours)))
    assert f"Port {other}" in taken and "METRICS_PORT" in taken and str(ours) not in taken
    free = replace(settings, metrics_port=free_port(), admin_port=ours)
    assert "METRICS_PORT" in told(machine.ports(free), Tone.NOTE)
    assert told(machine.ports(free)) == ""


METERED = {
    "metrics_port": "# HELP bot_inbox_depth Updates.\nbot_inbox_depth 0.0\n",
    "admin_port": "ok\n",
    "admin_metrics_port": "# HELP panel_x Requests.\npanel_http_request_total 1.0\n",
    "sandbox_port": "<html><title>Sandbox</title></html>",
}


@pytest.mark.parametrize("setting", METERED)
def test_another_program_that_answers_is_not_taken_for_ours(serve: Serve, setting: str) -> None:
    """Prometheus on 9090 has metrics too, and every server has pages; ours are told by theirs."""
    free: dict[str, Any] = {name: free_port() for name in METERED}
    name = setting.upper()
    for text in (PROMETHEUS, "ok", *(text for key, text in METERED.items() if key != setting)):
        said = told(machine.ports(Settings(**free | {setting: serve(page(text))})))
        assert name in said and len(said.splitlines()) == 1
    ours = list(machine.ports(Settings(**free | {setting: serve(page(METERED[setting]))})))
    assert told(ours) == "" and f"{name} " in told(ours, Tone.GOOD)
    failing = Settings(**free | {setting: serve(page(METERED[setting], 500))})
    assert name in told(machine.ports(failing))


def test_a_panel_without_visitors_is_ours(serve: Serve) -> None:
    """It has counted nothing yet; no bot of ours has nothing to tell."""
    free: dict[str, Any] = {name: free_port() for name in METERED}
    for setting, said in (("admin_metrics_port", ""), ("metrics_port", "METRICS_PORT")):
        found = told(machine.ports(Settings(**free | {setting: serve(page(""))})))
        assert said in found and bool(found) == bool(said)


def test_the_port_of_webhooks_is_looked_at_in_their_mode(serve: Serve) -> None:
    """Whoever answers there is another program; in polling nobody looks."""
    free = {name: free_port() for name in METERED}
    settings = Settings(**free, webhook_port=serve(page("ok\n")))  # type: ignore[arg-type]
    assert told(machine.ports(settings)) == ""
    assert "WEBHOOK_PORT" in told(machine.ports(replace(settings, mode="webhook")))


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
