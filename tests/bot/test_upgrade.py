"""`python -m bot migrate`: the tables are made, and failures are told in a sentence."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from bot.upgrade import migrate
from database import open_database
from settings import Secret, Settings

BROKEN = """
def migrate(migrator, database, **options):
    migrator.sql("CREATE TABEL x (id INTEGER)")
"""


@pytest.fixture
def settings(empty_database_url: str, tmp_path: Path) -> Settings:
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    (plugins / "pets.py").write_text(
        '"""Keep pets."""\nimport peewee\nfrom bot import Plugin\n\nplugin = Plugin(__name__)\n\n\n'
        "class Pet(plugin.Model):\n    name = peewee.CharField()\n"
    )
    return Settings(database_url=Secret(empty_database_url), plugins_path=(plugins,))


def tables(settings: Settings) -> set[str]:
    """The tables there are."""
    database = open_database(settings.database_url.reveal())
    with database.connection_context():
        found = set(database.get_tables())
    database.close_all()
    return found


def test_the_tables_of_core_and_plugins_are_made(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first run makes them all; the second has nothing to do."""
    assert migrate(settings) == 0
    assert {"users", "inbox", "pets_pet"} <= tables(settings)
    assert migrate(settings) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("Migrated: core/001_")
    assert "pets/001_initial" in first
    assert second == "The tables are up to date."


def test_a_table_that_lags_behind_its_class_is_said(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """A column that no migration makes is a mistake before it is a failing handler."""
    migrate(settings)
    pets = settings.plugins_path[0] / "pets.py"
    pets.write_text(pets.read_text() + "    age = peewee.IntegerField(null=True)\n")
    assert migrate(settings) == 1
    assert "The table pets_pet has no column age" in capsys.readouterr().err


def test_a_migration_is_undone_by_name(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """`undo` takes back the last one of its source and no other."""
    migrate(settings)
    assert migrate(settings, undo="pets") == 0
    assert "pets_pet" not in tables(settings)
    assert "users" in tables(settings)
    assert capsys.readouterr().out.endswith("Undone: pets/001_initial\n")


def test_nothing_to_undo_is_said(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown name is exit code 1 and a sentence."""
    assert migrate(settings, undo="ghost") == 1
    assert "ghost" in capsys.readouterr().err


def test_a_strict_migration_changes_nothing_for_a_broken_plugin(
    settings: Settings, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The reasons are said, and the tables are as they were; once mended it migrates."""
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "torn.py").write_text("def (:\n")
    torn = dataclasses.replace(settings, plugins_path=(*settings.plugins_path, broken))
    assert migrate(torn, strict=True) == 1
    assert "torn.py:1" in capsys.readouterr().err
    assert migrate(settings, strict=True) == 0
    assert "Migrated: core/001_initial" in capsys.readouterr().out


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://127.0.0.1:1/none",
        "sqlite:///{folder}/text/steadygram.db",
        "sqlite:///{folder}/text",
    ],
)
def test_a_database_that_cannot_be_used_is_one_sentence(
    settings: Settings, capsys: pytest.CaptureFixture[str], tmp_path: Path, url: str
) -> None:
    """No traceback for a database that is away, or that is no database."""
    (tmp_path / "text").write_text("no database " * 100)
    url = url.format(folder=tmp_path)
    away = dataclasses.replace(settings, database_url=Secret(url))
    assert migrate(away) == 1
    said = capsys.readouterr().err
    assert said.startswith("The database of DATABASE_URL cannot be used: ")
    assert said.count("\n") == 1
