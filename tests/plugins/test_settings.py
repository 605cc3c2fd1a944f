"""The settings of a person: language, quiet hours, time zone, notices."""

from __future__ import annotations

from pathlib import Path

from bot.testing import ROOT, ChatKit
from database import Database
from models import Notice, User
from services import preferences
from tests.plugins import forged

SHOP = '''
"""Sell things."""
from bot import Plugin

plugin = Plugin(__name__)
plugin.category("news", "News of the shop")
'''


def test_the_menu_shows_what_is_chosen(kit: ChatKit) -> None:
    """Nothing at first; then what was tapped, in the same message."""
    assert kit.bob.send("/settings") == ["Quiet hours: never\nTime zone: UTC, " + clock(kit)]
    assert kit.bob.buttons[:3] == ["🌐 English", "🌙 Quiet hours", "🕐 Time zone"]
    kit.bob.tap("🌙 Quiet hours")
    assert kit.bob.buttons == ["22:00 - 07:00", "23:00 - 08:00", "00:00 - 09:00", "Never", "‹ Back"]
    kit.bob.tap("22:00 - 07:00")
    assert kit.bob.last.startswith("Quiet hours: 22:00 - 07:00\n") and len(kit.bob.texts) == 1
    kit.bob.tap("🌙 Quiet hours")
    kit.bob.tap("‹ Back")
    kit.bob.tap("🌙 Quiet hours")
    kit.bob.tap("Never")
    assert kit.bob.last.startswith("Quiet hours: never\n")


def clock(kit: ChatKit) -> str:
    return f"{kit.clock():%H:%M} now"


def test_the_language_is_spoken_at_once(kit: ChatKit) -> None:
    """In the menu itself."""
    kit.bob.send("/settings")
    kit.bob.tap("🌐 English")
    kit.bob.tap("Русский")
    assert kit.bob.last.startswith("Тихие часы: никогда\nЧасовой пояс: UTC")


def test_the_time_zone_is_said_in_words(kit: ChatKit) -> None:
    """A city in either language or an offset; what nobody knows is asked again."""
    kit.vera.send("/settings")
    kit.vera.tap("🕐 Часовой пояс")
    kit.vera.send("Атлантида")
    assert kit.vera.last.startswith("Такого места я не знаю")
    kit.vera.send("Новосибирск")
    assert "Asia/Novosibirsk" in kit.vera.last
    kit.vera.tap("🕐 Часовой пояс")
    kit.vera.send("+3")
    local = preferences.zone_of(User.get(User.telegram_id == 1003))
    assert str(local) == "UTC+03:00" and "UTC+03:00" in kit.vera.last


def test_notices_are_switched_off_and_on(database: Database, tmp_path: Path) -> None:
    """By a button for each category that a plugin declared."""
    (tmp_path / "shop.py").write_text(SHOP)
    with ChatKit([ROOT / "plugins", tmp_path], database=database) as kit:
        kit.bob.send("/settings")
        kit.bob.tap("🔔 News of the shop")
        assert "🔕 News of the shop" in kit.bob.buttons
        kit.registry.plugins["shop"].notify(1002, "Tea!", category="news")
        kit.step()
        assert kit.bob.texts[1:] == [] and Notice.select().count() == 0
        kit.bob.tap("🔕 News of the shop")
        kit.registry.plugins["shop"].notify(1002, "Tea!", category="news")
        kit.step()
        assert kit.bob.last == "Tea!"


def test_what_no_button_offers_changes_nothing(kit: ChatKit) -> None:
    """A modified app can send any data."""
    kit.bob.send("/settings")
    for data in ("lang:xx", "quiet:99", "want:no.such"):
        forged.tap(kit, kit.bob, f"settings:{data}")
    chosen = preferences.of(User.get(User.telegram_id == 1002))
    assert (chosen.quiet_from, chosen.muted) == (None, [])
