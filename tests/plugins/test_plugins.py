"""The team switches and sets the plugins from chat."""

from __future__ import annotations

import json
from pathlib import Path

from bot.breaker import FAILURES
from bot.chores import Chores
from bot.testing import ROOT, ChatKit
from database import Database
from models import AnalyticsEvent, PluginSetting, PluginSwitch, Role, User
from services import users
from services.plugins import Preferences, Switches
from tests.plugins import forged

NO_NOTES = "I do not know /notes. See what I can do: /help"
CHOOSY = '''"""Have settings of every kind."""
from bot import Context, Plugin

plugin = Plugin(__name__)
loud = plugin.setting("loud", False, "Whether to shout.")
rate = plugin.setting("rate", 1.5, "How fast.")
tone = plugin.setting("tone", "dry", "How to sound.", choices=["dry", "warm"])


@plugin.command("choosy")
def choosy(ctx: Context) -> str:
    """Say the settings, or fail."""
    return f"{loud()} {rate()} {tone()} {1 / (not ctx.text)}"
'''


def test_only_admins_see_it(kit: ChatKit) -> None:
    """The others may neither write the command nor tap its buttons."""
    assert kit.bob.send("/plugins") == ["You may not use this command."]
    kit.alice.send("/plugins@sandbox_bot", to=kit.group)
    forged.tap(kit, kit.bob, "plugins:off:notes", to=kit.group)
    assert not PluginSwitch.select().exists()
    users.set_role(User.get(telegram_id=kit.bob.id), Role.ADMIN)
    assert "🟢 notes - Keep short notes" in kit.bob.send("/plugins")[0]


def test_a_plugin_is_switched_by_buttons(kit: ChatKit) -> None:
    """Off and on again in one message; the event says who did what."""
    kit.alice.send("/plugins")
    kit.alice.tap("🟢 notes")
    assert kit.alice.last.startswith("🟢 notes: on\nKeep short notes")
    assert kit.alice.buttons == ["Switch off", "Switch off here", "limit", "All plugins"]
    kit.alice.tap("Switch off")
    assert kit.alice.last.startswith("⚪ notes: off\n")
    assert kit.bob.send("/notes") == [NO_NOTES]
    kit.alice.tap("Switch on")
    assert kit.bob.send("/notes") != [NO_NOTES]
    kit.alice.tap("All plugins")
    assert len(kit.alice.texts) == 1 and "🟢 notes" in kit.alice.buttons
    events = AnalyticsEvent.select().where(AnalyticsEvent.event_type == "plugin_switched")
    assert [event.data["on"] for event in events] == [False, True]
    assert events[0].user == User.get(telegram_id=kit.alice.id)


def test_a_plugin_is_switched_off_in_one_chat(kit: ChatKit) -> None:
    """In words, in the group; elsewhere it works, and a restart changes nothing."""
    said = kit.alice.send("/plugins@sandbox_bot off notes here", to=kit.group)
    assert said[0].startswith("⚪ notes: off here")
    assert kit.alice.send("/notes@sandbox_bot", to=kit.group) == []
    kit.restart()
    assert kit.alice.send("/notes@sandbox_bot", to=kit.group) == []
    assert kit.bob.send("/notes") != [NO_NOTES]
    kit.alice.send("/plugins@sandbox_bot on notes here", to=kit.group)
    assert kit.alice.send("/notes@sandbox_bot", to=kit.group) != []


def commands(kit: ChatKit, chat_id: int) -> set[str]:
    """The commands in a chat's menu, as Telegram was told last."""
    scope = {"type": "chat", "chat_id": chat_id}
    told = [call for call in kit.calls("setMyCommands") if json.loads(call["scope"]) == scope]
    return {each["command"] for each in json.loads(told[-1]["commands"])}


def test_its_commands_leave_the_menu_and_the_help_of_the_chat(kit: ChatKit) -> None:
    """Within a second of the switch, in the process that made it too, and come back."""
    chores = Chores(kit.core, [kit.switches, kit.preferences])
    kit.alice.send("/start")
    chores.step(0.0)
    chores.sync_menus(0.0)
    assert "notes" in commands(kit, kit.alice.id)
    for state, seen in (("off", False), ("on", True)):
        kit.alice.send(f"/plugins {state} notes here")
        chores.step(1.0)
        chores.sync_menus(1.0)
        assert ("notes" in commands(kit, kit.alice.id)) is seen
        kit.alice.send("/help")
        assert ("/notes" in kit.alice.last) is seen
    assert len(kit.calls("setMyCommands")) < 20


def test_a_switch_follows_the_group_to_its_new_id(kit: ChatKit) -> None:
    """From the first message there on: no second of the old state in between."""
    kit.alice.send("/plugins@sandbox_bot off notes here", to=kit.group)
    moved = kit.telegram.migrate(kit.bot_id, kit.group.id)
    kit.telegram.send(kit.bot_id, moved, kit.alice.id, text="/notes@sandbox_bot")
    kit.step()
    assert not kit.switches.on("notes", moved) and kit.switches.on("notes", kit.group.id)
    assert all(call["chat_id"] != str(moved) for call in kit.calls("sendMessage"))


def test_it_does_not_switch_itself_off(kit: ChatKit) -> None:
    """Nobody could switch it on again."""
    refusal = ["I stay on: who would switch me on again?"]
    assert kit.alice.send("/plugins off plugins") == refusal
    assert kit.alice.send("/plugins off plugins here") == refusal


def test_settings_are_shown_and_set(database: Database, tmp_path: Path) -> None:
    """Each by its type and its choices; what does not fit is refused; a reset gives the default."""
    (tmp_path / "choosy.py").write_text(CHOOSY)
    with ChatKit([tmp_path, ROOT / "plugins"], database=database) as kit:
        page = kit.alice.send("/plugins choosy")[0]
        assert "loud = False\n  Whether to shout.\nrate = 1.5" in page and "dry | warm" in page
        for words in ("loud Yes", "rate 2", "tone warm"):
            kit.alice.send(f"/plugins set choosy {words}")
        assert kit.bob.send("/choosy") == ["True 2.0 warm 1.0"]
        wrong = ("loud maybe", "rate fast", "rate nan", "rate inf", "tone shrill")
        for key, value in (words.split() for words in wrong):
            said = kit.alice.send(f"/plugins set choosy {key} {value}")
            assert said == [f"{key} cannot be {value}."]
        kit.alice.send("/plugins reset choosy tone")
        assert kit.bob.send("/choosy") == ["True 2.0 dry 1.0"]
        kit.restart()
        assert kit.bob.send("/choosy") == ["True 2.0 dry 1.0"]
        there = Preferences()
        there.refresh()
        assert there.get("choosy", "loud") is True


def test_a_secret_setting_is_not_told(database: Database, tmp_path: Path) -> None:
    """Neither on the page, nor in the event of its change, nor when it is refused."""
    secret = 'key = plugin.setting("key", "", "The key.", secret=True)\n\n\n@plugin'
    (tmp_path / "choosy.py").write_text(CHOOSY.replace("@plugin", secret, 1))
    with ChatKit([tmp_path, ROOT / "plugins"], database=database) as kit:
        assert "key = \n  The key." in kit.alice.send("/plugins choosy")[0]
        assert "key = •••\n" in kit.alice.send("/plugins set choosy key hunter2")[0]
        assert kit.preferences.get("choosy", "key") == "hunter2"
        assert kit.alice.send("/plugins set choosy key " + "z" * 4050) == ["key cannot be •••."]
        assert "key = \n" in kit.alice.send("/plugins reset choosy key")[0]
    events = AnalyticsEvent.select().where(AnalyticsEvent.event_type == "setting_changed")
    assert [event.data["value"] for event in events] == ["•••", None]


def test_a_setting_is_asked_for_by_its_button(kit: ChatKit) -> None:
    """The answer is the new value; whoever is no admin any more gives none."""
    kit.alice.send("/plugins notes")
    kit.alice.tap("limit")
    assert kit.alice.last == "What shall limit be? Send /cancel to leave it."
    assert kit.alice.send("many") == ["limit cannot be many."]
    kit.alice.tap("limit")
    assert "limit = 5" in kit.alice.send("5")[0]
    assert kit.preferences.get("notes", "limit") == 5
    kit.bob.send("/ping")
    users.set_role(User.get(telegram_id=kit.bob.id), Role.ADMIN)
    kit.bob.send("/plugins notes")
    kit.bob.tap("limit")
    users.set_role(User.get(telegram_id=kit.bob.id), Role.USER)
    kit.bob.send("9")
    assert kit.preferences.get("notes", "limit") == 5


def test_what_is_not_there_is_said(kit: ChatKit) -> None:
    """A plugin or a setting of another name."""
    for words in ("nothing", "off nothing", "on nothing here"):
        assert kit.alice.send(f"/plugins {words}") == ["There is no plugin nothing."]
    assert kit.alice.send("/plugins set notes size 5") == ["There is no setting size of notes."]
    assert kit.alice.send("/plugins reset nothing size") == ["There is no setting size of nothing."]
    assert not PluginSetting.select().exists() and not PluginSwitch.select().exists()


def test_a_suspended_plugin_is_brought_back(database: Database, tmp_path: Path) -> None:
    """It is shown with what failed, and runs again as soon as it is switched on."""
    (tmp_path / "choosy.py").write_text(CHOOSY)
    with ChatKit([tmp_path, ROOT / "plugins"], database=database) as kit:
        for _ in range(FAILURES):
            kit.bob.send("/choosy now")
        kit.chores()
        assert "🟠 choosy" in kit.alice.send("/plugins")[0]
        kit.alice.tap("🟠 choosy")
        assert "choosy.choosy: ZeroDivisionError: division by zero" in kit.alice.last
        kit.alice.tap("Switch on")
        assert kit.alice.last.startswith("🟢 choosy: on")
        kit.chores()
        assert kit.bob.send("/choosy") == ["False 1.5 dry 1.0"]


def test_it_speaks_russian(kit: ChatKit) -> None:
    """Every word of the list and of a page."""
    kit.vera.send("/start")
    users.set_role(User.get(telegram_id=kit.vera.id), Role.ADMIN)
    kit.vera.send("/plugins notes")
    assert kit.vera.last.startswith("🟢 notes: включён\n")
    assert kit.vera.buttons == ["Отключить", "Отключить здесь", "limit", "Все плагины"]


def test_a_switch_of_ones_own_is_seen_as_a_change(database: Database) -> None:
    """The process that switched tells Telegram the menu as the others do."""
    switches = Switches()
    switches.set("notes", False)
    assert switches.refresh() and not switches.refresh()
