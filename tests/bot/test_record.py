"""A failure as a test: it fails now and passes when the plugin is mended; nobody is named in it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bot import codec
from bot.__main__ import main
from bot.kit import ROOT, ChatKit
from bot.record import write_test
from models import Failure

BROKEN = '''"""Divide."""

from bot import Context, Plugin

plugin = Plugin(__name__)


@plugin.command("divide")
def divide(ctx: Context) -> str:
    """Divide two numbers."""
    first, second = ctx.args[:2]
    return str(int(first) // int(second))
'''
MENDED = BROKEN.replace("// int(second)", "// (int(second) or 1)")
MARY = {
    "id": 77001234,
    "is_bot": False,
    "first_name": "Mary",
    "username": "mary_q",
    "last_name": "Quant",
}
TEAM = {"id": -1009999, "type": "supergroup", "title": "Secret team", "username": "secret_team"}


def failure(update: dict[str, Any], **facts: Any) -> Failure:
    """A failure of an update, not stored."""
    row = {"bot_id": 5, "plugin": "divide", "handler": "divide", "error": "ZeroDivisionError"}
    return Failure(**row, **facts, payload=codec.dumps(update))


def test_a_failure_becomes_a_test(tmp_path: Path) -> None:
    """Written by the command line, run by pytest: it fails, and passes with a mended plugin."""
    plugin, test = tmp_path / "divide.py", tmp_path / "test_divide.py"
    plugin.write_text(BROKEN)
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["bot.testing"]\n')
    with ChatKit([plugin]) as kit:
        kit.bob.send("/divide 6 0 please")
        (row,) = kit.take_failed()
        test.write_text(write_test(row))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "ZeroDivisionError" in done.stdout, done.stdout + done.stderr
    plugin.write_text(MENDED)
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "1 passed" in done.stdout, done.stdout + done.stderr


def test_a_text_is_said_by_bob(database: object) -> None:
    """Nothing of the person or of the group is left, in the text neither."""
    text = "/divide 6 0 for @mary_q and Quant of Secret team, 77001234"
    message = {"message_id": 7, "from": MARY, "chat": TEAM, "date": 1, "text": text}
    shown = write_test(failure({"update_id": 3, "message": message}))
    assert 'bob.send("/divide 6 0 for @bob and  of Steady team, 1002", to=group)' in shown
    assert "def test_divide(bob: Person, group: View) -> None:" in shown
    assert not any(word in shown for word in ("Mary", "Quant", "mary_q", "Secret", "7700"))


def test_any_other_update_is_pushed(database: object, tmp_path: Path) -> None:
    """As it was, with the cast in it and no phone number; the kit takes it."""
    private = {"id": MARY["id"], "type": "private", "first_name": "Mary", "username": "mary_q"}
    bot = {"id": 5, "is_bot": True, "first_name": "Our bot", "username": "our_bot"}
    asked = {"message_id": 4, "from": bot, "chat": private, "date": 1, "text": "Mary?"}
    contact = {"phone_number": "+4477", "first_name": "Mary", "user_id": MARY["id"]}
    message = {"message_id": 7, "from": MARY, "chat": private, "date": 1, "contact": contact}
    shown = write_test(failure({"update_id": 3, "message": {**message, "reply_to_message": asked}}))
    assert not any(word in shown for word in ("Mary", "mary_q", "7700", "4477", "our_bot"))
    (tmp_path / "divide.py").write_text(BROKEN)
    with ChatKit([tmp_path / "divide.py"]) as kit:
        scope: dict[str, Any] = {}
        exec(shown, scope)  # noqa: S102 - the generated test
        scope["test_divide"](kit)
        assert kit.bob.id in [user["id"] for user in kit.telegram.cast()]


def test_what_cannot_be_recorded_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No such failure, or no sandbox: one sentence and exit code 1."""
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'test.db'}")
    monkeypatch.setenv("SANDBOX_PORT", "1")
    assert main(["migrate"]) == 0
    assert main(["record", "--failure", "5"]) == 1
    assert "There is no failure 5" in capsys.readouterr().err
    assert main(["record"]) == 1
    assert "No sandbox with a chat answers at port 1" in capsys.readouterr().err
