"""The pages of bots and chats: what the tables know, and what Telegram says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask

from admin.app import create_app
from admin.line import AWAY
from admin.panel import Panel
from bot.testing import ChatKit
from database import Database
from models import Chat, Inbox, Lease, PluginSwitch
from sandbox.telegram import Telegram
from services import bots
from settings import SANDBOX_TOKEN, Secret
from staff import AuditEntry, StaffRole
from tests.admin import plugged
from tests.admin.conftest import Browser, Clock, Visit

BOT = 1_000_000_001
GROUP = -1001000000001


@pytest.fixture
def panel(database: Database, clock: Clock, telegram: Telegram, tmp_path: Path) -> Panel:
    """A panel with a shop."""
    del database
    return plugged.open_panel(tmp_path, clock, telegram, shop=plugged.SHOP)


@pytest.fixture
def kit(panel: Panel, database: Database, telegram: Telegram, tmp_path: Path) -> Iterator[ChatKit]:
    """The bot beside the panel, in the same Telegram."""
    del panel
    with plugged.open_bot(tmp_path, database, telegram) as kit:
        yield kit


@pytest.fixture
def admin(visit: Visit) -> Browser:
    """An admin's browser."""
    return visit(StaffRole.ADMIN)


def audited() -> list[tuple[str, str]]:
    """What was noted."""
    return [(row.action, row.target) for row in AuditEntry.select().order_by(AuditEntry.id)]


def webhooked(panel: Panel) -> None:
    """Let the panel's bots have a webhook."""
    secret = Secret("s" * 40)
    panel.settings = replace(
        panel.settings, mode="webhook", webhook_url="https://bot.example/", webhook_secret=secret
    )


def test_a_bot_as_the_tables_have_it(database: Database, clock: Clock) -> None:
    """Who holds its lease and since when, the newest update, and how many wait."""
    assert bots.standing(7, clock()) == bots.Standing(7, None, "", None, False, None, 0)
    Lease.create(name="poller:7", owner="host/ns/12/345", fence=1, beats=1, updated_at=clock())
    row = {"bot_id": 7, "lane": 1, "kind": "message", "received_at": clock()}
    for number, state in enumerate(["done", "new", "queued"]):
        over = clock() if state == "done" else None
        Inbox.create(**row, update_id=number, state=state, done_at=over)
    found = bots.standing(7, clock())
    assert (found.owner, found.alive, found.waiting) == ("host, process 12", True, 2)
    assert found.updated_at == clock()
    clock.pass_(seconds=11)
    assert not bots.standing(7, clock()).alive
    Lease.update(owner="").execute()
    assert bots.standing(7, clock()).owner == "" and not bots.standing(7, clock()).alive


def test_the_bots_are_listed(visit: Visit, kit: ChatKit) -> None:
    """Name, process, and what waits at Telegram; nothing of the token."""
    kit.bob.send("/buy")
    kit.telegram.send(BOT, kit.bob.id, kit.bob.id, text="later")
    waiting = kit.telegram.unconfirmed(BOT)
    assert waiting > 0
    text = visit(StaffRole.VIEWER).get("/bots/").text
    for words in ("@sandbox_bot", "running", f"Waiting at Telegram</dt><dd>{waiting}<", "polling"):
        assert words in text
    assert SANDBOX_TOKEN.partition(":")[2] not in text
    assert "Drop pending" not in text


def test_updates_are_dropped(admin: Browser, kit: ChatKit) -> None:
    """Those that Telegram keeps; it is noted."""
    kit.telegram.send(BOT, kit.bob.id, kit.bob.id, text="/buy")
    admin.post_form(f"/bots/{BOT}/drop", "/bots/")
    kit.step()
    assert kit.bob.texts == []
    assert audited() == [("bot.drop_pending", f"bot:{BOT}")]
    assert "Telegram dropped them." in admin.get("/bots/").text


def test_dropping_asks_for_the_password(admin: Browser, clock: Clock, kit: ChatKit) -> None:
    """When it was not given a moment ago."""
    kit.telegram.send(BOT, kit.bob.id, kit.bob.id, text="/buy")
    clock.pass_(minutes=11)
    answer = admin.post_form(f"/bots/{BOT}/drop", "/bots/")
    assert answer.location.startswith("/confirm") and audited() == []


def test_a_webhook_is_set_again_and_kept_by_a_drop(
    admin: Browser, panel: Panel, telegram: Telegram
) -> None:
    """With our address and our secret, which no page shows."""
    webhooked(panel)
    telegram.send(BOT, 1001, 1001, text="/buy")
    for what in ("webhook", "drop"):
        admin.post_form(f"/bots/{BOT}/{what}", "/bots/")
        text = admin.get("/bots/").text
        assert f"https://bot.example/telegram/{BOT}" in text and "s" * 40 not in text
    assert telegram.unconfirmed(BOT) == 0
    assert [entry[0] for entry in audited()] == ["bot.set_webhook", "bot.drop_pending"]


def test_a_webhook_in_the_way_of_polling_is_removed(admin: Browser, telegram: Telegram) -> None:
    """The page says what is wrong, and mends it; a token in its address is masked."""
    url = f"https://old.example/bot{SANDBOX_TOKEN}"
    telegram.call(SANDBOX_TOKEN, "setWebhook", {"url": url})
    text = admin.get("/bots/").text
    assert "refuses to be polled" in text and SANDBOX_TOKEN.partition(":")[2] not in text
    admin.post_form(f"/bots/{BOT}/webhook", "/bots/")
    assert "refuses to be polled" not in admin.get("/bots/").text


@pytest.mark.parametrize(
    ("fault", "said"), [("cut_before", AWAY), ("cut_after", AWAY), ("502", AWAY), ("429", AWAY)]
)
def test_telegram_is_away(admin: Browser, telegram: Telegram, fault: str, said: str) -> None:
    """A clear sentence on the page, at once; what was tried is noted, and that it failed."""
    telegram.fail(fault, "*", times=None, value=30 if fault == "429" else None)
    assert said in admin.get("/bots/").text
    answer = admin.post_form(f"/bots/{BOT}/drop", "/bots/")
    assert answer.status_code == 302
    assert [entry[0] for entry in audited()] == ["bot.drop_pending", "bot.drop_pending_failed"]
    assert said in admin.get("/bots/").text


def test_telegram_refuses_the_token(panel: Panel, telegram: Telegram, visit: Visit) -> None:
    """It is said with the remedy."""
    telegram.fail("401", "*", times=None)
    del panel
    assert "take a new one from @BotFather" in visit(StaffRole.VIEWER).get("/bots/").text


def test_a_bot_that_is_not_ours(admin: Browser) -> None:
    """There is none such here."""
    for path in (f"/bots/{BOT + 1}/drop", "/bots/99999999999999999999/webhook"):
        assert admin.post_form(path, "/bots/").status_code == 404
    assert audited() == []


def test_chats_are_found(visit: Visit, kit: ChatKit) -> None:
    """By title, username and id, and by what the bot is there."""
    kit.bob.send("hi @sandbox_bot", to=kit.group)
    Chat.create(bot_id=BOT, telegram_id=-5, kind="group", title="Garden", membership="left")
    viewer = visit(StaffRole.VIEWER)
    for query, found in {
        "": ["Steady team", "Garden"],
        "search=gard": ["Garden"],
        "search=-5": ["Garden"],
        f"search={GROUP}": ["Steady team"],
        "membership=left": ["Garden"],
        "kind=channel": [],
        "search=%25": [],
    }.items():
        text = viewer.get(f"/chats/?{query}").text
        assert [title for title in ("Steady team", "Garden") if title in text] == found, query


def test_the_rights_in_a_chat_are_asked_for(visit: Visit, kit: ChatKit) -> None:
    """Only when somebody wants to see them."""
    kit.group.make_bot("administrator")
    chat, viewer = Chat.get(telegram_id=GROUP), visit(StaffRole.VIEWER)
    assert "pin messages" not in viewer.get(f"/chats/{chat.id}").text
    assert kit.calls("getChatMember") == []
    text = viewer.get(f"/chats/{chat.id}?rights=1").text
    assert "administrator" in text and "pin messages" in text
    assert "It may not" in text and "promote members" in text and "Leave" not in text


def test_a_plugin_is_switched_in_a_chat(admin: Browser, kit: ChatKit) -> None:
    """On its page; the bot follows."""
    kit.bob.send("hi @sandbox_bot", to=kit.group)
    chat = Chat.get(telegram_id=GROUP)
    path, page = f"/chats/{chat.id}/switch", f"/chats/{chat.id}"
    admin.post_form(path, page, plugin="shop", on="0")
    kit.chores()
    assert kit.bob.send("/buy@sandbox_bot", to=kit.group) == []
    assert ">off here<" in admin.get(page).text
    admin.post_form(path, page, plugin="shop", on="1")
    assert ">off here<" not in admin.get(page).text
    assert audited() == [("plugin.switch", f"plugin:shop@{GROUP}")] * 2
    assert admin.post_form(path, page, plugin="none", on="1").status_code == 404
    assert PluginSwitch.select().count() == 1


def test_the_bot_leaves_a_chat(admin: Browser, kit: ChatKit) -> None:
    """At Telegram and in the table, noted; what cannot be left says why."""
    kit.bob.send("hi @sandbox_bot", to=kit.group)
    chat = Chat.get(telegram_id=GROUP)
    admin.post_form(f"/chats/{chat.id}/leave", f"/chats/{chat.id}")
    assert Chat.get_by_id(chat.id).membership == "left"
    admin.post_form(f"/chats/{chat.id}/leave", f"/chats/{chat.id}")
    assert "bot is not a member" in admin.get(f"/chats/{chat.id}").text
    actions = [entry[0] for entry in audited()]
    assert actions == ["chat.leave", "chat.leave", "chat.leave_failed"]
    kit.step()
    assert Chat.get_by_id(chat.id).membership == "left"


@pytest.mark.parametrize("path", ["999", "99999999999999999999", "-1", "abc", "%00", "1/2"])
def test_no_such_chat(admin: Browser, path: str) -> None:
    """404."""
    assert admin.get(f"/chats/{path}").status_code == 404


@pytest.mark.parametrize("query", ["search=%00", "search=" + "9" * 90, "search=-", "search=%40"])
def test_an_odd_search_for_chats(admin: Browser, query: str) -> None:
    """It finds nothing, or says what it takes."""
    assert admin.get(f"/chats/?{query}").status_code in (200, 400)


def test_titles_are_text(admin: Browser) -> None:
    """Whatever a group calls itself."""
    nasty = "<script>alert(1)</script>\"'"
    chat = Chat.create(bot_id=1, telegram_id=-5, kind="group", title=nasty, membership="member")
    for path in ("", str(chat.id)):
        assert "<script>alert" not in admin.get(f"/chats/{path}").text


def test_a_chat_of_a_bot_without_a_token(admin: Browser, app: Flask) -> None:
    """Nothing can be asked or done there, and the page says so."""
    del app
    chat = Chat.create(bot_id=9, telegram_id=-5, kind="group", title="x", membership="member")
    assert "not among the settings" in admin.get(f"/chats/{chat.id}?rights=1").text


def test_the_panel_opens_without_a_telegram(panel: Panel) -> None:
    """No call is made, and no client, before somebody looks."""
    assert create_app(replace(panel, wire=None)) is not None
