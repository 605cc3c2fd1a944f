"""What people see of themselves."""

from __future__ import annotations

from bot.testing import ChatKit
from models import User


def test_a_person_sees_their_data(kit: ChatKit) -> None:
    """Name, id, language, role and since when."""
    kit.bob.send("/profile")
    today = f"{User.get(telegram_id=1002).created_at:%d.%m.%Y}"
    assert kit.bob.last.splitlines()[:5] == [
        "Name: Bob",
        "Telegram id: 1002",
        "Language: en",
        "Role: user",
        f"Here since: {today}",
    ]
    kit.vera.send("/me")
    assert kit.vera.last.startswith("Имя: Вера\n")


def test_the_numbers_are_five_minutes_old_at_most(kit: ChatKit) -> None:
    """They are counted once and kept; a fresh process, with an empty cache, counts anew."""
    kit.bob.send("hello")
    kit.bob.send("/profile")
    assert "Messages: 1\nCommands: 0\nFriends invited: 0" in kit.bob.last
    kit.dan.send("/start ref_1002")
    kit.bob.send("/profile")
    assert "Messages: 1\n" in kit.bob.last
    kit.restart()
    kit.bob.send("/profile")
    assert "Messages: 3\nCommands: 2\nFriends invited: 1" in kit.bob.last
