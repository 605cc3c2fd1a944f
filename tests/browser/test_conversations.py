"""The conversations of the team, driven in Chromium beside the real bot and its sandbox.

With SCREENSHOTS=folder what is seen is kept as pictures, light and dark, wide and narrow.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from werkzeug.serving import make_server

from admin.app import create_app
from admin.panel import Panel
from bot.registry import Registry
from database import bind, now, open_database
from models import Bot, User
from services import messages, sessions
from services.messages import Received
from settings import Secret, Settings
from staff import Admin, StaffRole
from tests.browser.test_chat_page import CHROMIUM, message, say
from tests.browser.test_journey import ROOT, SHAPES, open_page
from tests.ports import free_port

ALICE = 1001
EVIL = '<img src=x onerror="document.title=1"><script>document.title=2</script>'


class Desk(NamedTuple):
    """Somebody of the team at the panel, and Alice at her chat."""

    panel: Page
    chat: Page
    bot_id: int


@contextmanager
def bot_up(folder: Path, port: int) -> Iterator[None]:
    """The bot and its sandbox, as `make run` starts them."""
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/"),
        "DATABASE_URL": f"sqlite:///{folder / 'talk.db'}",
        "SANDBOX_PORT": str(port),
        "METRICS_PORT": str(free_port()),
        "TELEGRAM_BOT_TOKEN": "",
    }
    with (folder / "up.log").open("wb") as log:
        up = subprocess.Popen(
            [sys.executable, "-m", "bot", "up"], cwd=ROOT, env=environ, stdout=log, stderr=log
        )
        try:
            yield
        finally:
            up.send_signal(signal.SIGINT)
            assert up.wait(30) == 0, (folder / "up.log").read_text()


@contextmanager
def panel_up(folder: Path) -> Iterator[str]:
    """The panel on the bot's database; gives its address."""
    database = open_database(f"sqlite:///{folder / 'talk.db'}")
    bind(database)
    app = create_app(Panel(Settings(secret_key=Secret("k" * 32)), Registry()))
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()
    database.close_all()


def sign_in(browser: Browser, address: str, troubles: list[str]) -> Page:
    """A page of an admin's; whatever its console complains of is kept."""
    admin = Admin.create(name="Sven", role=StaffRole.ADMIN)
    token = sessions.begin(admin, address="127.0.0.1", agent="test", at=now())
    context = browser.new_context(base_url=address, viewport={"width": 1280, "height": 800})
    host = urlsplit(address).hostname or ""
    context.add_cookies([{"name": "steadygram", "value": token, "domain": host, "path": "/"}])
    page = context.new_page()
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("console", lambda said: troubles.append(said.text) if said.type == "error" else None)
    page.on("dialog", lambda dialog: dialog.accept())
    return page


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """Both of them; no error may be left in the panel's console."""
    port, troubles = free_port(), list[str]()
    with bot_up(tmp_path, port), sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        chat = browser.new_page(viewport={"width": 1000, "height": 800})
        open_page(chat, f"http://127.0.0.1:{port}/")
        chat.click('[data-empty] [data-say="/start"]')
        expect(message(chat, "Hello, Alice!")).to_be_visible(timeout=20_000)
        with panel_up(tmp_path) as address:
            yield Desk(sign_in(browser, address, troubles), chat, Bot.get().id)
            browser.close()
    assert troubles == []


def picture(page: Page, name: str) -> None:
    """Keep what is seen, when a folder for it is named."""
    if not (folder := os.environ.get("SCREENSHOTS")):
        return
    for shape, (width, height) in SHAPES.items():
        page.set_viewport_size({"width": width, "height": height})
        for light in ("light", "dark"):
            page.evaluate(f"document.documentElement.dataset.theme = '{light}'")
            page.wait_for_timeout(200)
            page.screenshot(path=str(Path(folder) / f"{name}-{shape}-{light}.png"))
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, f"{name} is {wide} wide on a screen of {width}"
    page.set_viewport_size({"width": 1280, "height": 800})


def test_a_conversation_from_the_first_word_to_the_last(desk: Desk) -> None:
    """Written to first, taken over, answered live, handed back; nothing is reloaded by hand."""
    panel, chat = desk.panel, desk.chat
    panel.goto("/conversations/")
    picture(panel, "talk-1-empty")
    panel.goto(f"/conversations/{desk.bot_id}/{ALICE}")
    panel.fill("textarea", "Good morning, Alice")
    panel.keyboard.press("Control+Enter")
    expect(message(chat, "Good morning, Alice")).to_be_visible(timeout=10_000)
    mine = panel.locator(".bubble.mine", has_text="Good morning")
    expect(mine.locator("[data-said]")).to_have_text("sent", timeout=10_000)
    panel.click("text=Take over")
    expect(panel.locator("text=Taken over by you")).to_be_visible()
    panel.wait_for_timeout(2500)
    say(chat, "/help")
    expect(panel.locator(".bubble:not(.mine)", has_text="/help")).to_be_visible(timeout=10_000)
    say(chat, EVIL)
    expect(panel.locator(".bubble-text", has_text=EVIL)).to_be_visible(timeout=10_000)
    assert panel.title().startswith("Conversations")
    assert not message(chat, "This is what I can do:").count()
    panel.fill("textarea", "I am a person.\nHow can I help?")
    panel.click("button:has-text('Send'):visible")
    expect(message(chat, "I am a person.")).to_be_visible(timeout=10_000)
    picture(panel, "talk-2-thread")
    panel.click("text=Hand back")
    expect(panel.locator("text=Take over").first).to_be_visible()
    panel.wait_for_timeout(2500)
    say(chat, "/help")
    expect(message(chat, "This is what I can do:")).to_be_visible(timeout=10_000)


def test_feedback_comes_to_a_page_that_is_open(desk: Desk) -> None:
    """The list grows by itself; opened, the thread is read, and the mark goes."""
    panel, chat = desk.panel, desk.chat
    panel.goto("/conversations/")
    say(chat, "/feedback The tea is cold")
    row = panel.locator(".thread", has_text="The tea is cold")
    expect(row).to_be_visible(timeout=10_000)
    expect(row.locator(".badge-bad")).to_have_text("1")
    row.click()
    expect(panel.locator(".bubble-text", has_text="The tea is cold")).to_be_visible()
    expect(panel.locator(".thread .badge-bad")).to_have_count(0, timeout=10_000)


def test_many_threads_and_every_state(desk: Desk) -> None:
    """A crowd, a long text, a failure, a pause: it holds on a phone and in the dark."""
    panel = desk.panel
    for number in range(12):
        person = User.create(telegram_id=2000 + number, first_name=f"Person {number} " + "x" * 40)
        letter = Received(desk.bot_id, 2000 + number, person.id, "text", "long words " * 40)
        messages.receive([letter], now())
    panel.goto(f"/conversations/{desk.bot_id}/2003")
    panel.fill("textarea", "Are you there?")
    panel.click("button:has-text('Send'):visible")
    failed = panel.locator('.bubble[data-state="failed"]')
    expect(failed).to_be_visible(timeout=10_000)
    expect(failed.locator("button")).to_have_text("Send again")
    panel.click("summary")
    panel.click("button:has-text('Pause'):visible")
    expect(panel.locator("text=is paused").first).to_be_visible()
    picture(panel, "talk-3-paused")
    panel.click("text=Person 3")
    picture(panel, "talk-4-failed")
