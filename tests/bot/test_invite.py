"""The first owner and others get their account from the command line, by links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.__main__ import main
from bot.invite import setup_address
from database import Database, bind, now
from services import admins, arrivals
from services.audit import Actor
from services.links import Purpose, find
from settings import Settings, load
from staff import Admin, AuditEntry, Link, StaffRole

PASSWORD = "three small words"
ADDRESS = re.compile(r"https://panel\.example\.org/(setup|invite)/([\w-]{43})\n")


@pytest.fixture
def settings(
    database: Database, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Settings]:
    """The command line on an empty database."""
    environ = {"DATABASE_URL": database_url, "ADMIN_URL": "https://panel.example.org"}
    settings = load(environ, folder=tmp_path)
    monkeypatch.setattr("bot.__main__.load", lambda: settings)
    yield settings
    bind(database)


def run(database: Database, *arguments: str) -> int:
    """Run the verb, and look at the test's own database afterwards."""
    code = main(["create-admin", *arguments])
    bind(database)
    return code


def test_the_link_makes_the_first_owner(
    settings: Settings, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is good for an hour, and no secret of it is in the database."""
    assert run(database) == 0
    kind, token = ADDRESS.search(capsys.readouterr().out).groups()  # type: ignore[union-attr]
    assert kind == "setup" and token not in repr(list(Link.select().dicts()))
    link = find(token, Purpose.SET_UP, now())
    assert link and 3590 < (link.expires_at - now()).total_seconds() <= 3600
    made = arrivals.accept_set_up(Actor(None, "x"), token, "ada", PASSWORD, now())
    assert made and made.role is StaffRole.OWNER
    assert run(database) == 1
    assert "--name NAME --role ROLE" in capsys.readouterr().err
    assert not Link.select().where(Link.used_at.is_null()).exists()


def test_a_start_prints_it_until_there_is_an_owner(settings: Settings, database: Database) -> None:
    """Each start has one of its own, which ends the one before."""
    addresses = [setup_address(settings), setup_address(settings)]
    bind(database)
    assert None not in addresses and len(set(addresses)) == 2
    assert Link.select().count() == 1
    admins.create(Actor(None, "x"), "ada", StaffRole.OWNER, password=PASSWORD)
    assert setup_address(settings) is None


def test_somebody_else_is_made_by_name(
    settings: Settings, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    """The account has the role that was said, no password, and an invitation for it."""
    assert run(database, "--name", "ada", "--role", "admin", "--telegram-id", "1001") == 0
    kind, token = ADDRESS.search(capsys.readouterr().out).groups()  # type: ignore[union-attr]
    admin = Admin.get(name="ada")
    assert (kind, admin.role, admin.telegram_id) == ("invite", StaffRole.ADMIN, 1001)
    assert admin.password is None
    assert arrivals.accept_invite(token, PASSWORD, now(), address="") == admin
    actors = [(entry.actor, entry.action) for entry in AuditEntry.select()]
    assert actors[:2] == [("command line", "admin.create"), ("command line", "admin.invite")]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--name", "ADA"], "The name ADA is taken."),
        (["--name", "a b"], "A name is 1 to 64"),
        (["--name", "bob", "--telegram-id", "@bob"], "A Telegram id is a number"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    settings: Settings,
    database: Database,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    said: str,
) -> None:
    """Exit code 1, and nothing is made."""
    admins.create(Actor(None, "x"), "ada", StaffRole.VIEWER)
    assert run(database, *arguments) == 1
    assert capsys.readouterr().err.startswith(said)
    assert Admin.select().count() == 1 and not Link.select().exists()


def test_a_database_without_tables_is_one_sentence(
    empty_database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Whoever did not migrate is told so by the database's own words, and no trace."""
    settings = load({"DATABASE_URL": empty_database_url}, folder=tmp_path)
    monkeypatch.setattr("bot.__main__.load", lambda: settings)
    assert main(["create-admin"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("The database of DATABASE_URL cannot be used") and said.count("\n") == 1
