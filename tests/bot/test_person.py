"""A person from the command line: given out as JSON, erased after a question, with a receipt."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.__main__ import main
from bot.testing import ROOT, ChatKit
from database import bind, open_database
from models import User
from services.cache import open_cache
from settings import Secret, Settings, load
from staff import TABLES, AuditEntry

PLUGINS = (ROOT / "plugins", Path(__file__).parent / "personal")


class Terminal(io.StringIO):
    """Somebody who types."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def settings(
    database_url: str, tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Settings]:
    """A bot that Bob has used, and the command line on its database."""
    database = bind(open_database(database_url))
    with ChatKit(list(PLUGINS), database=database) as kit:
        for model in [m for p in kit.registry.plugins.values() for m in p.models]:
            model.delete().execute()
        for table in reversed(TABLES):
            table.delete().execute()
        kit.core = kit._start()
        kit.bob.send("/diary first of May")
        kit.dan.send("/diary none of your business")
    database.close_all()
    settings = load(
        {
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "PLUGINS_PATH": ":".join(map(str, PLUGINS)),
        },
        folder=tmp_path,
    )
    monkeypatch.setattr("bot.__main__.load", lambda: settings)
    yield settings
    bind(open_database(database_url)).close_all()


def people(settings: Settings) -> list[int]:
    """Who is in the database."""
    database = bind(open_database(settings.database_url.reveal()))
    with database.connection_context():
        found = [user.telegram_id for user in User.select().order_by(User.telegram_id)]
    database.close_all()
    return found


def noted(settings: Settings) -> list[tuple[str, str, str]]:
    """What the audit log says."""
    database = bind(open_database(settings.database_url.reveal()))
    with database.connection_context():
        rows = [(row.actor, row.action, row.target) for row in AuditEntry.select()]
    database.close_all()
    return rows


def test_a_person_is_given_out(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    """All on one, nothing on another, as JSON."""
    assert main(["export-user", "1002"]) == 0
    ((actor, action, target),) = noted(settings)
    assert (actor, action) == ("command line", "user.export") and target != "user:0"
    held: Any = json.loads(capsys.readouterr().out)
    assert held["plugins"]["diary"] == ["first of May"]
    assert held["core"]["users"][0]["first_name"] == "Bob"
    assert "none of your business" not in json.dumps(held)


def test_a_person_is_erased(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    """With --yes there is no question; the receipt counts by table, by plugin, and the cache."""
    cache = open_cache(settings.redis_url.reveal() if settings.redis_url else None)
    cache.set("diary:1002", "first of May")
    assert main(["delete-user", "1002", "--yes"]) == 0
    receipt: Any = json.loads(capsys.readouterr().out)
    assert receipt["plugins"]["diary"] == 1 and receipt["failed"] == {}
    assert (receipt["core"]["users"], receipt["core"]["cache"]) == (1, 1)
    assert people(settings) == [1004] and cache.get("diary:1002") is None
    assert main(["delete-user", "1002", "--yes"]) == 0
    (first, again) = noted(settings)
    assert first[:2] == ("command line", "user.erase") and first[2] != "user:0"
    assert again == ("command line", "user.erase", "user:0")


@pytest.mark.parametrize(("typed", "left"), [("yes\n", [1004]), ("y\n", [1002, 1004])])
def test_it_is_asked_first(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, typed: str, left: list[int]
) -> None:
    """Only yes means yes."""
    monkeypatch.setattr("sys.stdin", Terminal(typed))
    assert main(["delete-user", "1002"]) == (0 if left == [1004] else 1)
    assert people(settings) == left


def test_nobody_is_there_to_be_asked(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a terminal and without --yes nothing is erased."""
    monkeypatch.setattr("sys.stdin", io.StringIO("yes\n"))
    assert main(["delete-user", "1002"]) == 1
    assert "Say --yes" in capsys.readouterr().err
    assert people(settings) == [1002, 1004]


def test_a_broken_plugin_is_mended_first(
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What it holds would be left out: exit code 2 and what is wrong; the same without tables."""
    (tmp_path / "bad.py").write_text("1 / 0")
    broken = Settings(plugins_path=(tmp_path,), database_url=settings.database_url)
    monkeypatch.setattr("bot.__main__.load", lambda: broken)
    assert main(["delete-user", "1002", "--yes"]) == 2
    assert "bad.py:1: ZeroDivisionError" in capsys.readouterr().err
    empty = Settings(plugins_path=(PLUGINS[0],), database_url=Secret(f"sqlite:///{tmp_path}/n.db"))
    monkeypatch.setattr("bot.__main__.load", lambda: empty)
    assert main(["export-user", "1002"]) == 2
    assert "The database of DATABASE_URL cannot be used: no such table" in capsys.readouterr().err
