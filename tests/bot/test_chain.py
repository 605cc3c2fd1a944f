"""`python -m bot check` on the audit log: one line, and exit code 1 for a broken chain."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot import chain
from bot.__main__ import main
from database import Database
from services import audit
from services.audit import Actor
from settings import Secret, Settings
from staff import AuditEntry

ADA = Actor(1, "ada")


def test_a_whole_and_a_broken_log(
    database: Database, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """How many entries there are; or which one was changed first."""
    settings = Settings(database_url=Secret(database_url))
    for number in range(3):
        audit.record(ADA, "x", str(number))
    database.close()
    assert chain.check(settings) == 0
    assert capsys.readouterr().out == "The audit log is whole: 3 entries.\n"
    with database.connection_context():
        AuditEntry.update(actor="eve").where(AuditEntry.id == 2).execute()
    assert chain.check(settings) == 1
    assert "broken at the entry 2" in capsys.readouterr().out


def test_without_a_log_there_is_nothing_to_say(
    empty_database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No file is made, no table is missed; a database that is away is said on the side."""
    missing = tmp_path / "none" / "x.db"
    assert chain.check(Settings(database_url=Secret(f"sqlite:///{missing}"))) == 0
    assert not missing.parent.exists()
    assert chain.check(Settings(database_url=Secret(empty_database_url))) == 0
    assert capsys.readouterr() == ("", "")
    away = Settings(database_url=Secret("postgresql://127.0.0.1:1/none"))
    assert chain.check(away) == 0
    assert "cannot be checked" in capsys.readouterr().err


def test_the_verb_ends_with_1(
    database: Database,
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Fine plugins do not hide a broken log."""
    (tmp_path / "plugins").mkdir()
    monkeypatch.setenv("PLUGINS_PATH", str(tmp_path / "plugins"))
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.chdir(tmp_path)
    audit.record(ADA, "x", "y")
    database.close()
    assert main(["check"]) == 0
    with database.connection_context():
        AuditEntry.update(actor="eve").execute()
    assert main(["check"]) == 1
    assert "broken at the entry 1" in capsys.readouterr().out
