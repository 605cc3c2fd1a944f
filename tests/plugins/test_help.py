"""The help, from what the plugins say of themselves."""

from __future__ import annotations

from pathlib import Path

from bot.testing import ROOT, ChatKit
from database import Database
from models import Role, User
from services import users

PURGE = '''
from bot import Plugin

plugin = Plugin(__name__)


@plugin.command("purge", role="admin")
def purge(ctx):
    """Purge it."""
'''


def test_help_lists_the_commands(kit: ChatKit) -> None:
    """Each with its first line; handlers that are no command stay out."""
    kit.bob.send("/help")
    lines = kit.bob.last.splitlines()
    assert lines[:2] == ["This is what I can do:", ""]
    assert "/help - See what I can do." in lines
    named = {line.split()[0] for line in lines[2:]}
    assert named >= {"/help", "/language", "/note", "/notes", "/start", "/feedback", "/settings"}


def test_help_is_in_the_users_language(kit: ChatKit) -> None:
    """Every line of it."""
    kit.vera.send("/help")
    assert "/help - Узнать, что я умею." in kit.vera.last
    assert not any(letter in kit.vera.last.split("/")[0] for letter in "abcdefgh")


def test_what_is_switched_off_is_left_out(kit: ChatKit) -> None:
    """Everywhere, or in the chat where the question was asked."""
    kit.switches.set("notes", enabled=False, chat_id=kit.bob.id)
    kit.bob.send("/help")
    kit.dan.send("/help")
    assert "/notes" not in kit.bob.last and "/notes" in kit.dan.last


def test_help_shows_what_the_role_may_use(database: Database, tmp_path: Path) -> None:
    """Commands for admins are shown to admins."""
    (tmp_path / "purge.py").write_text(PURGE)
    with ChatKit([ROOT / "plugins", tmp_path], database=database) as kit:
        kit.bob.send("/help")
        assert "/purge" not in kit.bob.last
        users.set_role(User.get(telegram_id=1002), Role.ADMIN)
        kit.bob.send("/help")
        assert "/purge - Purge it." in kit.bob.last
