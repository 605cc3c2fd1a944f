"""The command line: a verb for each job, help on all, and one sentence for a mistake."""

from __future__ import annotations

import logging
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from bot import __main__ as command
from settings import Settings, SettingsError, load
from tests.ports import free_port

ROOT = Path(__file__).parent.parent.parent
VERBS = [verb.__name__.replace("_", "-") for verb in command.VERBS]


def python_bot(*arguments: str, folder: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m bot` as an operator does."""
    return subprocess.run(
        [sys.executable, "-m", "bot", *arguments],
        cwd=folder,
        env={"PATH": os.defpath, "PYTHONPATH": str(ROOT), **environ},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Settings:
    """Settings of a folder of the test's own, which the command line loads."""
    settings = load({}, folder=tmp_path)
    monkeypatch.setattr(command, "load", lambda: settings)
    return settings


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`python -m bot VERB --help` says what the verb does."""
    with pytest.raises(SystemExit) as caught:
        command.main([verb, "--help"])
    assert caught.value.code == 0
    assert "usage: python -m bot" in capsys.readouterr().out


def test_help_lists_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    """`python -m bot --help` shows the verbs with their lines."""
    with pytest.raises(SystemExit):
        command.main(["--help"])
    said = capsys.readouterr().out
    assert all(re.search(rf"^ +{verb}\s", said, re.MULTILINE) for verb in VERBS)


@pytest.mark.parametrize("arguments", [[], ["fly"], ["run", "--fast"]])
def test_a_wrong_verb_is_refused(arguments: list[str]) -> None:
    """No verb, an unknown one or an unknown option is exit code 2."""
    with pytest.raises(SystemExit) as caught:
        command.main(arguments)
    assert caught.value.code == 2


@pytest.mark.parametrize("verb", VERBS)
def test_a_wrong_setting_is_one_sentence(tmp_path: Path, verb: str) -> None:
    """Exit code 2 within a second of work, and no traceback."""
    file = ["a.backup"] if verb in ("backup", "restore") else []
    about = ["1002"] if verb.endswith("-user") else file
    done = python_bot(verb, *about, folder=tmp_path, BOT_THREADS="many")
    assert done.returncode == 2
    assert done.stderr == "BOT_THREADS is 'many' but must be a whole number from 1 to 1000.\n"
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("verb", "door"),
    [
        ("run", "bot.run.main"),
        ("check", "bot.loader.check"),
        ("plugins", "bot.loader.print_plugins"),
        ("up", "bot.start.up"),
    ],
)
def test_a_verb_calls_its_function(
    loaded: Settings, monkeypatch: pytest.MonkeyPatch, verb: str, door: str
) -> None:
    """The function gets the settings, and its number is the exit code."""
    got: list[Settings] = []

    def work(settings: Settings, **_options: object) -> int:
        got.append(settings)
        return 7

    monkeypatch.setattr(door, work)
    assert command.main([verb]) == 7
    assert got == [loaded]


@pytest.mark.parametrize(("verb", "name"), [("run", "bot"), ("panel", "panel")])
def test_the_keeper_logs_as_the_bot_does(
    loaded: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    verb: str,
    name: str,
) -> None:
    """`--keep` gives the keeper's exit code, and its lines are JSON."""
    started: list[str] = []

    class Keeper:
        def __init__(self, start: Callable[[], object], *, name: str) -> None:
            start()
            self.name = name

        def run(self) -> int:
            logging.getLogger("bot.keep").error("the %s died", self.name)
            return 7

    monkeypatch.setattr("bot.keep.Keeper", Keeper)
    monkeypatch.setattr("bot.keep.spawn", started.append)
    assert command.main([verb, "--keep"]) == 7
    assert f'"event":"the {name} died"' in "".join(capfd.readouterr())
    assert started == [verb]


def test_the_panel_is_gunicorn(loaded: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process becomes it, so that a signal to one is a signal to the other."""
    got: list[list[str]] = []
    monkeypatch.setattr("os.execv", lambda _program, arguments: got.append(arguments))
    command.main(["panel"])
    words = ["-m", "gunicorn", "-c", "python:admin.gunicorn", "admin.wsgi:app"]
    assert got == [[sys.executable, *words]]


def test_migrate_can_undo(loaded: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--undo NAME` is handed on."""
    got: list[str | None] = []

    def migrate(_settings: Settings, *, undo: str | None, strict: bool) -> int:
        got.append(undo)
        return 0

    monkeypatch.setattr("bot.upgrade.migrate", migrate)
    assert command.main(["migrate"]) == 0
    assert command.main(["migrate", "--undo", "core"]) == 0
    assert got == [None, "core"]


def test_the_sandbox_is_served_on_its_port(
    loaded: Settings, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """SANDBOX_PORT is checked, then served."""
    ports: list[int] = []
    monkeypatch.setattr("bot.start.check_port", lambda name, port, *, host: ports.append(port))
    outlives: list[bool] = []

    def serve(port: int, *, needed: Callable[[], bool]) -> None:
        ports.append(port)
        outlives.append(needed())

    monkeypatch.setattr("sandbox.server.serve", serve)
    monkeypatch.setattr("bot.start.bot_runs", lambda _settings: True)
    assert command.main(["sandbox"]) == 0
    assert command.main(["sandbox", "--last"]) == 0
    assert ports == [loaded.sandbox_port] * 4
    assert outlives == [False, True]


@pytest.mark.parametrize(
    ("raised", "code"), [(KeyboardInterrupt(), 130), (SettingsError("Set X."), 2)]
)
def test_an_end_without_a_traceback(
    loaded: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    raised: BaseException,
    code: int,
) -> None:
    """Ctrl-C is quiet, and a sentence for the operator is all that is printed."""

    def work(_settings: Settings) -> NoReturn:
        raise raised

    monkeypatch.setattr("bot.start.up", work)
    assert command.main(["up"]) == code
    assert capsys.readouterr().err == ("Set X.\n" if code == 2 else "")


def test_a_reader_that_has_seen_enough_is_no_failure(tmp_path: Path) -> None:
    """`python -m bot plugins | head -0` says nothing of a broken pipe."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "bot", "plugins"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PLUGINS_PATH": str(ROOT / "plugins")},
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_sandbox_ends_on_ctrl_c(tmp_path: Path) -> None:
    """SIGINT ends the process with its code and without a traceback."""
    port = str(free_port())
    child = subprocess.Popen(
        [sys.executable, "-m", "bot", "sandbox"],
        cwd=tmp_path,
        env={"PATH": os.defpath, "PYTHONPATH": str(ROOT), "SANDBOX_PORT": port},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert port in child.stdout.readline()
    time.sleep(0.05)
    child.send_signal(signal.SIGINT)
    _said, errors = child.communicate(timeout=10)
    assert (child.returncode, errors) == (0, "")


def test_a_thread_that_was_left_behind_does_not_hold_up_the_end() -> None:
    """One that is no daemon and never ends costs half a second, and the exit code is kept."""
    code = (
        "import threading; from bot.__main__ import leave\n"
        "threading.Thread(target=threading.Event().wait).start(); leave(3)"
    )
    command = [sys.executable, "-c", code]
    assert subprocess.run(command, cwd=ROOT, timeout=30, check=False).returncode == 3


def test_check_deploy_refuses_a_developers_machine(tmp_path: Path) -> None:
    """Exit code 1, with a sentence for each thing that is to be mended."""
    (tmp_path / "plugins").mkdir()
    done = python_bot("check", "--deploy", folder=tmp_path)
    assert done.returncode == 1
    for name in ("ENVIRONMENT", "TRUSTED_HOSTS", "ADMIN_URL", "TELEGRAM_BOT_TOKEN", "migrate"):
        assert name in done.stderr


def test_the_doctor_tells_what_is_missing(tmp_path: Path) -> None:
    """Without a database and a bot: exit code 1, and nothing is made."""
    done = python_bot("doctor", folder=tmp_path, TELEGRAM_API_URL="http://127.0.0.1:1")
    assert done.returncode == 1 and done.stderr == ""
    assert "run `python -m bot migrate`" in done.stdout
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["secret_key"]
