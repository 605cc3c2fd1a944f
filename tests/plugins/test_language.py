"""The choice of a language."""

from __future__ import annotations

import json

from bot.testing import ChatKit
from models import User
from tests.plugins import forged


def test_a_choice_takes_effect_at_once(kit: ChatKit) -> None:
    """The same message answers in the new language, and so does all that follows."""
    kit.bob.send("/language")
    assert (kit.bob.last, kit.bob.buttons) == (
        "Which language shall I speak?",
        ["English", "Русский"],
    )
    kit.bob.tap("Русский")
    assert kit.bob.texts == ["Теперь я говорю по-русски."] and kit.bob.buttons == []
    kit.bob.send("/start")
    assert kit.bob.last.startswith("Здравствуйте")
    kit.restart()
    kit.bob.send("/lang")
    kit.bob.tap("English")
    assert kit.bob.last == "I speak English now."


def test_the_menu_follows(kit: ChatKit) -> None:
    """The commands of the private chat are in the chosen language."""
    kit.bob.send("/language")
    kit.bob.tap("Русский")
    menu = kit.calls("setMyCommands")[-1]
    assert json.loads(menu["scope"]) == {"type": "chat", "chat_id": 1002}
    assert "Узнать, что я умею." in menu["commands"]


def test_a_language_that_nobody_offered_is_ignored(kit: ChatKit) -> None:
    """What a button sends can be made up by a modified app."""
    kit.bob.send("/language")
    forged.tap(kit, kit.bob, "language:xx")
    assert User.get(telegram_id=1002).language == "en"
    assert kit.bob.last == "Which language shall I speak?"
