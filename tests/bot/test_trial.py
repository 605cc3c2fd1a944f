"""The trial: what passes, and what is said of what does not."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from bot.run import rehearse
from bot.trial import PASSED, run_verb
from settings import load as load_settings
from tests.bot.test_process import wait_for

TABLE = '''"""Keep things."""
from bot import Plugin
from peewee import CharField

plugin = Plugin(__name__)


class Thing(plugin.Model):
    name = CharField(16)
'''


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The plugin folder of child processes."""
    folder = tmp_path / "plugins"
    folder.mkdir()
    monkeypatch.setenv("PLUGINS_PATH", str(folder))
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/bot.db")
    return folder


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import ctypes\nctypes.string_at(0)\n", ["ended by SIGSEGV", 'odd.py", line 2']),
        ("import os\nos._exit(3)\n", ["`python -m bot check` failed"]),
        ("import os\nos._exit(0)\n", ["ended before it was done"]),
        ("raise ValueError('wrong')\n", ["odd.py:1: ValueError: wrong"]),
    ],
)
def test_a_file_that_ends_its_process_is_said(folder: Path, text: str, said: list[str]) -> None:
    """With the line that did it, where Python can tell; an early end is never a pass."""
    (folder / "odd.py").write_text(text)
    found = run_verb("check", passed=PASSED if "_exit(0)" in text else 0)
    assert found is not None and all(each in found for each in said), found


def test_a_file_that_hangs_is_ended_with_its_process(folder: Path) -> None:
    """A stop does not wait for the trial, and it is said where the time went."""
    stop, there = threading.Event(), folder / "there"
    text = f"import pathlib, time\n\npathlib.Path({str(there)!r}).touch()\ntime.sleep(1000)\n"
    (folder / "slow.py").write_text(text)

    def watch() -> None:
        wait_for(there.exists, seconds=60)
        stop.set()

    threading.Thread(target=watch).start()
    said = run_verb("check", stop=stop)
    assert said is not None and 'slow.py", line ' in said


def test_the_time_is_limited() -> None:
    """Nothing is waited for without end."""
    said = run_verb("--help", patience=0.0)
    assert said is not None and said.startswith("`python -m bot --help` did not end within 0 s")


def test_a_verb_that_passes_says_nothing() -> None:
    """None is the only pass."""
    assert run_verb("--help") is None
    assert "nonsense" in (run_verb("nonsense") or "")


def test_a_rehearsal_migrates_and_builds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """New tables are made; with a broken file nothing is changed."""
    folder = tmp_path / "plugins"
    folder.mkdir()
    environ = {"DATABASE_URL": f"sqlite:///{tmp_path}/bot.db", "PLUGINS_PATH": str(folder)}
    settings = load_settings(environ, folder=tmp_path)
    (folder / "things.py").write_text(TABLE)
    (folder / "wrong.py").write_text("plugin =")
    assert rehearse(settings) == 1
    assert "wrong.py:1: SyntaxError" in capsys.readouterr().err
    (folder / "wrong.py").unlink()
    assert rehearse(settings) == PASSED
    assert "things/001_initial" in capsys.readouterr().out
