"""The pages of the plugins: seen, switched, set and tried again, as the bot beside them does."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from admin.panel import Panel
from admin.questions import SILENT, Answer, Questions
from bot.testing import ChatKit
from database import Database
from models import Chat, PluginSetting, PluginSwitch
from sandbox.telegram import Telegram
from services import plugins, reloads
from services.plugins import Rest
from staff import AuditEntry, StaffRole
from tests.admin import plugged
from tests.admin.conftest import Browser, Clock, Visit

GROUP = -1001000000001


@pytest.fixture
def panel(database: Database, clock: Clock, telegram: Telegram, tmp_path: Path) -> Panel:
    """A panel with a shop, a plugin that is broken, and one that lacks a package."""
    del database
    sources = {"broken": plugged.BROKEN, "lacking": plugged.LACKING, "plain": plugged.PLAIN}
    return plugged.open_panel(tmp_path, clock, telegram, shop=plugged.SHOP, **sources)


@pytest.fixture
def admin(visit: Visit) -> Browser:
    """An admin's browser."""
    return visit(StaffRole.ADMIN)


@pytest.fixture
def kit(panel: Panel, database: Database, tmp_path: Path) -> Iterator[ChatKit]:
    """The bot beside the panel, with those plugins that load."""
    folder = tmp_path / "loading"
    folder.mkdir()
    (folder / "shop.py").write_text(plugged.SHOP)
    with plugged.open_bot(folder, database) as kit:
        yield kit


def entries() -> list[tuple[str, str, Any, Any]]:
    """What the audit log says of the plugins."""
    rows = (
        AuditEntry.select().where(AuditEntry.action.startswith("plugin.")).order_by(AuditEntry.id)
    )
    return [(row.action, row.target, row.before, row.after) for row in rows]


def save(browser: Browser, **values: str) -> Any:
    """Send the form of the settings as it is on the page, with some values changed."""
    was = {"open": "on", "most": "3", "rate": "1.5", "greeting": "Hello", "size": "s", "key": ""}
    form = {f"was:{key}": value for key, value in was.items()}
    form |= {f"value:{key}": value for key, value in {**was, **values}.items()}
    if values.get("open") == "off":
        del form["value:open"]
    return browser.post_form("/plugins/shop/settings", "/plugins/shop", **form)


def test_the_list_says_how_each_is(visit: Visit) -> None:
    """State, description, commands, the plugin's own numbers; why one is not there."""
    text = visit(StaffRole.VIEWER).get("/plugins/").text
    for words in ("Sell things.", "/buy", "/b<", "orders: <b>0</b>", "till: <b>1,234.50</b>"):
        assert words in text
    assert "ZeroDivisionError: division by zero" in text and "failed to load" in text
    assert "something is missing" in text and "run pip install nix" in text
    assert "Switch off" not in text, "a viewer only looks"


def test_a_broken_plugin_shows_its_traceback(visit: Visit) -> None:
    """The whole of it, and nothing that could be switched."""
    text = visit(StaffRole.OWNER).get("/plugins/broken").text
    assert "Traceback (most recent call last)" in text and "1 / 0" in text
    assert "Switch off" not in text


def test_a_switch_reaches_the_bot(admin: Browser, kit: ChatKit) -> None:
    """Off and on again everywhere; the page and the audit log say so."""
    assert kit.bob.send("/buy") != []
    page = admin.post_form("/plugins/shop/switch", "/plugins/", on="0")
    assert page.status_code == 302
    kit.chores()
    assert "Hello" not in "".join(kit.bob.send("/buy"))
    assert '<span class="badge">off</span>' in admin.get("/plugins/shop").text
    admin.post_form("/plugins/shop/switch", "/plugins/", on="1")
    kit.chores()
    assert "Hello" in kit.bob.send("/buy")[0]
    assert entries() == [
        ("plugin.switch", "plugin:shop", {"enabled": True}, {"enabled": False}),
        ("plugin.switch", "plugin:shop", {"enabled": False}, {"enabled": True}),
    ]


def test_a_switch_for_one_chat(admin: Browser, kit: ChatKit) -> None:
    """By its id; it is listed by its title, and taken back there."""
    kit.bob.send("hi @sandbox_bot", to=kit.group)
    admin.post_form("/plugins/shop/switch", "/plugins/", on="0", chat_id=str(GROUP))
    kit.chores()
    assert kit.bob.send("/buy@sandbox_bot", to=kit.group) == [] != kit.bob.send("/buy")
    page = admin.get("/plugins/shop").text
    assert "Steady team" in page and "off in 1 chat<" in page
    admin.post_form("/plugins/shop/switch", "/plugins/", on="1", chat_id=str(GROUP))
    kit.chores()
    assert kit.bob.send("/buy@sandbox_bot", to=kit.group) != []
    assert [entry[1] for entry in entries()] == [f"plugin:shop@{GROUP}"] * 2
    assert "off in 1 chat" not in admin.get("/plugins/").text


@pytest.mark.parametrize("chat_id", ["0", "abc", "", "9" * 25, "1.5", "\0", "-" + "9" * 19])
def test_no_chat_of_such_an_id(admin: Browser, chat_id: str) -> None:
    """One sentence, and nothing is switched: least of all everywhere."""
    answer = admin.post_form("/plugins/shop/switch", "/plugins/", on="0", chat_id=chat_id)
    assert answer.status_code == 400 and "chat" in answer.text
    assert not PluginSwitch.select().exists()


@pytest.mark.parametrize("path", ["nothing/switch", "broken/switch", "nothing/retry"])
def test_what_is_not_loaded_is_not_switched(admin: Browser, path: str) -> None:
    """404, and no row."""
    assert admin.post_form(f"/plugins/{path}", "/plugins/", on="0").status_code == 404
    assert admin.post_form("/plugins/broken/settings", "/plugins/").status_code == 404
    assert admin.get("/plugins/nothing").status_code == 404
    assert admin.post_form("/plugins/shop/switch", "/plugins/", on="maybe").status_code == 400
    assert not PluginSwitch.select().exists()


def test_settings_reach_the_bot(admin: Browser, kit: ChatKit) -> None:
    """Each by its type; only what was changed is written, and noted with what it was."""
    answer = save(admin, open="off", most="5", rate="2", greeting="Hi\r\nyou", size="m")
    assert answer.status_code == 302
    kit.chores()
    assert kit.bob.send("/buy") == ["Hi\nyou, 5 at 2.0, m, False, 0"]
    assert sorted(entries()) == [
        ("plugin.setting", "plugin:shop.greeting", {"value": "Hello"}, {"value": "Hi\nyou"}),
        ("plugin.setting", "plugin:shop.most", {"value": 3}, {"value": 5}),
        ("plugin.setting", "plugin:shop.open", {"value": True}, {"value": False}),
        ("plugin.setting", "plugin:shop.rate", {"value": 1.5}, {"value": 2.0}),
        ("plugin.setting", "plugin:shop.size", {"value": "s"}, {"value": "m"}),
    ]
    text = admin.get("/plugins/shop").text
    assert "It is closed." in text and "<textarea" in text and "Back to default (3)" in text


def test_an_unchanged_form_writes_nothing(admin: Browser) -> None:
    """Nor does one that another of the team has overtaken: their change stands."""
    assert save(admin).status_code == 302 and not PluginSetting.select().exists()
    save(admin, most="5")
    save(admin, rate="9")
    assert {(row.key, row.value) for row in PluginSetting.select()} == {("most", 5), ("rate", 9.0)}


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("most", "many", "Give a whole number."),
        ("most", "1.5", "Give a whole number."),
        ("most", "9" * 5000, "Give a whole number."),
        ("rate", "nan", "Give a number."),
        ("rate", "1e999", "Give a number."),
        ("size", "xl", "Choose one of: s, m."),
        ("greeting", "a\0b", "Give a text"),
        ("greeting", "x" * 4001, "Give a text"),
        ("open", "perhaps", "Choose on or off."),
    ],
)
def test_what_does_not_fit_is_said_beside_it(
    admin: Browser, key: str, value: str, said: str
) -> None:
    """Nothing is written, also of the rest; what was typed is kept."""
    answer = save(admin, **{"rate" if key != "rate" else "most": "7", key: value})
    assert answer.status_code == 400 and said in answer.text
    assert 'value="7"' in answer.text
    assert not PluginSetting.select().exists() and entries() == []


def test_a_setting_goes_back_to_its_default(admin: Browser, kit: ChatKit) -> None:
    """The row is gone."""
    save(admin, most="5")
    answer = admin.post_form("/plugins/shop/reset", "/plugins/shop", key="most")
    assert answer.status_code == 302 and not PluginSetting.select().exists()
    kit.chores()
    assert " 3 at " in kit.bob.send("/buy")[0]
    assert entries()[-1][2:] == ({"value": 5}, {"value": 3})
    answer = admin.post_form("/plugins/shop/reset", "/plugins/shop", key="none")
    assert answer.status_code == 404


def test_a_secret_is_written_and_never_read(admin: Browser, kit: ChatKit) -> None:
    """On no page and in no entry; left empty it stays; it can be forgotten."""
    save(admin, key="hunter2")
    kit.chores()
    assert kit.bob.send("/buy")[0].endswith(", 7")
    save(admin, most="4")
    assert PluginSetting.get(key="key").value == "hunter2"
    assert save(admin, most="many", key="hunter3").status_code == 400
    pages = [admin.get(path).text for path in ("/plugins/", "/plugins/shop")]
    pages.append(save(admin, most="many", key="hunter3").text)
    assert "It is set" in pages[1]
    said = entries()
    assert ("plugin.setting", "plugin:shop.key", {"secret": ""}, {"secret": "changed"}) in said
    assert "hunter" not in "".join([*pages, str(said)])
    admin.post_form("/plugins/shop/reset", "/plugins/shop", key="key")
    assert not PluginSetting.select().where(PluginSetting.key == "key").exists()
    assert entries()[-1][2:] == ({"secret": "•••"}, {"secret": ""})


def test_a_suspended_plugin_is_tried_again(admin: Browser, kit: ChatKit, clock: Clock) -> None:
    """The page says until when and why; a click brings it back in the bot."""
    for _ in range(5):
        kit.bob.send("/buy the moon")
    kit.take_failures()
    kit.chores()
    assert "Hello" not in "".join(kit.bob.send("/buy"))
    text = admin.get("/plugins/shop").text
    assert "suspended" in text and "no moon left" in text and "Traceback" in text
    assert "Last failures" in text and "/failures/group/" in text
    admin.post_form("/plugins/shop/retry", "/plugins/shop")
    kit.chores()
    assert "Hello" in kit.bob.send("/buy")[0]
    assert [entry[:2] for entry in entries()] == [("plugin.resume", "plugin:shop")]
    admin.post_form("/plugins/shop/retry", "/plugins/shop")
    assert "not suspended any more" in admin.get("/plugins/shop").text


def test_on_everywhere_ends_a_suspension(admin: Browser, clock: Clock) -> None:
    """As it does in chat."""
    plugins.suspend("shop", Rest(clock() + timedelta(hours=1), 1, "it failed", ""))
    assert "suspended" in admin.get("/plugins/").text
    admin.post_form("/plugins/shop/switch", "/plugins/", on="1")
    assert plugins.suspensions() == {}


def test_a_refused_reload_is_shown(admin: Browser) -> None:
    """Whoever opens the page sees that the bot does not run what is in the folder."""
    reloads.refuse("poller:7", "one", 1.0, "shop.py:3: <b>wrong</b>")
    text = admin.get("/plugins/").text
    assert "The last reload was refused" in text and "shop.py:3: &lt;b&gt;wrong" in text


def test_chats_are_offered(admin: Browser) -> None:
    """The newest by their titles, which are anybody's words."""
    Chat.create(bot_id=1, telegram_id=-5, kind="group", title="<i>x", membership="member")
    assert '<option value="-5">&lt;i&gt;x</option>' in admin.get("/plugins/shop").text


class TestQuestions:
    """Hooks are asked beside the page."""

    def test_one_that_hangs_is_not_waited_for(self, panel: Panel) -> None:
        """It is said, and asked no second time while it hangs; then it is asked anew."""
        held, asked = threading.Event(), list[int]()

        def hang() -> str | None:
            asked.append(1)
            held.wait(10)
            return "awake"

        panel.registry.plugins["plain"].hooks["health"] = hang
        questions = Questions(panel.registry, patience=0.02)
        names = ["shop", "plain", "none"]
        for _ in range(2):
            said = questions.ask("health", names)
            assert said["plain"] == Answer(failed=SILENT) and "none" not in said
        assert len(asked) == 1
        held.set()
        patient = Questions(panel.registry, patience=10)
        assert patient.ask("health", names)["plain"] == Answer("awake")

    def test_one_that_raises_is_told(self, panel: Panel) -> None:
        """The others are not its matter."""
        panel.registry.plugins["plain"].hooks["health"] = lambda: str(1 / 0)
        said = Questions(panel.registry, patience=10).ask("health", ["plain", "shop"])
        assert said["plain"].failed == "health() failed: ZeroDivisionError: division by zero"
        assert said["shop"] == Answer(None)
