"""The panel as a small team uses it: `python -m bot up`, the set-up link, a day's work.

With SCREENSHOTS=folder every page is kept as a picture, light and dark, wide and narrow.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyotp
import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect, sync_playwright

from tests.browser.test_chat_page import CHROMIUM, message, say
from tests.browser.test_journey import open_page
from tests.ports import free_port

ROOT = Path(__file__).resolve().parent.parent.parent
SHAPES = {"desktop": (1280, 850), "phone": (390, 844)}
PASSWORD = "three small words"
SHAKY = '''
"""A plugin that fails for a while."""
from bot import Context, Plugin

plugin = Plugin(__name__)


@plugin.command("shaky")
def shaky(ctx: Context) -> str:
    """Fail, or not."""
    {body}
'''
PAGES = """
/ /users/ /users/1 /conversations/ /plugins/ /plugins/notes /failures/ /failures/1 /events/ /chats/
/bots/ /admins/ /tokens/ /tokens/new /audit/ /system/ /account/ /api/v1/docs
""".split()


@dataclass
class Place:
    """A running installation, and a browser before it."""

    panel: str
    chat: str
    setup: str
    plugins: Path
    browser: BrowserContext

    def open(self, path: str) -> Page:
        """A page of the panel, in a tab of its own."""
        page = self.browser.new_page()
        page.set_default_timeout(20_000)
        page.on("dialog", lambda dialog: dialog.accept())
        page.goto(f"{self.panel}{path}")
        return page

    def shaky(self, body: str) -> None:
        """Save the plugin that fails, or that does not any more."""
        (self.plugins / "shaky.py").write_text(SHAKY.format(body=body))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """Everything as `make run` starts it; at the end no error and no violation was reported."""
    expect.set_options(timeout=20_000)
    ports = {name: str(free_port()) for name in ("SANDBOX", "METRICS", "ADMIN", "ADMIN_METRICS")}
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/"),
        "DATABASE_URL": os.environ.get("PANEL_DATABASE", f"sqlite:///{tmp_path / 'day.db'}"),
        "PLUGINS_PATH": f"{ROOT / 'plugins'}:{plugins}",
        "TELEGRAM_BOT_TOKEN": "",
        **{f"{name}_PORT": port for name, port in ports.items()},
    }
    (plugins / "shaky.py").write_text(SHAKY.format(body='raise RuntimeError("not mended yet")'))
    path = tmp_path / "up.log"
    troubles: list[str] = []
    with path.open("wb") as log, sync_playwright() as playwright:
        up = subprocess.Popen(
            [sys.executable, "-m", "bot", "up"], cwd=ROOT, env=environ, stdout=log, stderr=log
        )
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        ).new_context(viewport={"width": 1280, "height": 850})
        browser.on("page", lambda page: listen(page, troubles))
        setup = found(path, r"http://localhost:\d+/setup/\S+")
        panel, chat = (f"http://localhost:{ports[name]}" for name in ("ADMIN", "SANDBOX"))
        found(path, "panel_worker_ready")
        yield Place(panel, f"{chat}/", setup, plugins, browser)
        browser.close()
        up.send_signal(signal.SIGINT)
        assert up.wait(40) == 0, path.read_text()
    assert troubles == []


def listen(page: Page, troubles: list[str]) -> None:
    """Note every error, warning and violation of the policy that a page reports."""
    page.on(
        "console",
        lambda said: troubles.append(said.text) if said.type in ("error", "warning") else None,
    )
    page.on("pageerror", lambda error: troubles.append(str(error)))


def found(path: Path, pattern: str) -> str:
    """What the log says, as soon as it does."""
    deadline = time.monotonic() + 60
    while not (seen := re.search(pattern, path.read_text(errors="replace"))):
        assert time.monotonic() < deadline, path.read_text()
        time.sleep(0.1)
    return seen[0]


def last(chat: Page) -> Locator:
    """The newest message."""
    return chat.locator("[data-message]").last


def answered(chat: Page, text: str, answer: str) -> None:
    """Write in the chat, and see this answer after it."""
    say(chat, text)
    expect(last(chat)).to_contain_text(answer)


def unanswered(chat: Page, text: str) -> None:
    """Write in the chat, and see that it stays the last word."""
    say(chat, text)
    chat.wait_for_timeout(3000)
    expect(last(chat)).to_contain_text(text)


def set_up(place: Place) -> None:
    """The first owner, with an authenticator."""
    page = place.open("/login")
    page.goto(place.setup)
    page.fill('[name="name"]', "ada")
    page.fill('[name="password"]', PASSWORD)
    page.click("button.btn-primary")
    page.wait_for_url(f"{place.panel}/")
    page.goto(f"{place.panel}/account/totp")
    secret = re.search(r"(?:[A-Z2-7]{4} ){7}[A-Z2-7]{4}", page.inner_text("main"))
    assert secret
    page.fill('[name="code"]', pyotp.TOTP(secret[0].replace(" ", "")).now())
    page.get_by_text("Switch it on").click()
    expect(page.locator("main")).to_contain_text("they are not shown again")
    page.close()


def is_seen(place: Place, path: str, text: str) -> None:
    """A page shows a text, at the latest a little later: it may be counted every ten seconds."""
    page = place.open(path)
    deadline = time.monotonic() + 30
    while text not in page.inner_text("main") and time.monotonic() < deadline:
        page.wait_for_timeout(500)
        page.reload()
    expect(page.locator("main")).to_contain_text(text)
    page.close()


def pictures(place: Place) -> None:
    """Every page in both lights and shapes; none scrolls sideways on a phone."""
    folder = os.environ.get("SCREENSHOTS")
    page = place.open("/")
    for path in PAGES:
        for shape, (width, height) in SHAPES.items():
            page.set_viewport_size({"width": width, "height": height})
            page.goto(f"{place.panel}{path}")
            page.wait_for_timeout(300)
            wide = page.evaluate("document.documentElement.scrollWidth > innerWidth")
            assert not wide or path == "/api/v1/docs", f"{path} is wider than the {shape}"
            for light in ("light", "dark") if folder else ():
                page.evaluate(f"document.documentElement.dataset.theme = '{light}'")
                page.wait_for_timeout(300)
                name = path.strip("/").replace("/", "-") or "overview"
                page.screenshot(path=str(Path(str(folder)) / f"{name}-{shape}-{light}.png"))
    page.close()


def saved(page: Page, button: str) -> None:
    """Press a button, wait for the page after it, and until every process has seen the change."""
    page.get_by_role("button", name=button, exact=True).first.click()
    page.wait_for_load_state()
    page.close()
    time.sleep(2.5)


def ban_and_revert(place: Place, chat: Page) -> None:
    """Who is banned gets no answer, until that is taken back in the audit log."""
    page = place.open("/users/1")
    page.fill('[name="reason"]', "spam")
    saved(page, "Ban")
    is_seen(place, "/users/1", "spam")
    unanswered(chat, "/ping")
    saved(place.open("/audit/"), "Revert")
    answered(chat, "/ping", "pong")


def switch_and_set(place: Place, chat: Page) -> None:
    """A plugin that is off does not answer; a setting holds at once."""
    saved(place.open("/plugins/ping"), "Switch off everywhere")
    say(chat, "/ping")
    chat.wait_for_timeout(2500)
    expect(last(chat)).not_to_contain_text("pong")
    saved(place.open("/plugins/ping"), "Switch on everywhere")
    answered(chat, "/ping", "pong")
    page = place.open("/plugins/notes")
    page.fill('[name="value:limit"]', "1")
    saved(page, "Save")
    answered(chat, "/note milk", "Noted.")
    say(chat, "/note bread")
    chat.wait_for_timeout(2500)
    expect(last(chat)).not_to_contain_text("Noted")


def fail_and_replay(place: Place, chat: Page) -> None:
    """A failure is shown, and its update is handled once the plugin is mended."""
    say(chat, "/shaky")
    expect(message(chat, "Sorry, something went wrong")).to_be_visible()
    is_seen(place, "/failures/", "not mended yet")
    place.shaky('return "steady now"')
    time.sleep(8)
    saved(place.open("/failures/1"), "Replay this one")
    expect(message(chat, "steady now")).to_be_visible()


def take_over_and_hand_back(place: Place, chat: Page) -> None:
    """The bot is silent while somebody of the team answers."""
    page = place.open("/users/1")
    page.get_by_role("link", name="Write").click()
    page.get_by_role("button", name="Take over").click()
    expect(page.get_by_role("button", name="Hand back")).to_be_visible()
    time.sleep(2.5)
    unanswered(chat, "is anybody there?")
    expect(page.locator("main")).to_contain_text("is anybody there?")
    page.fill("textarea", "yes, I am")
    page.keyboard.press("Control+Enter")
    expect(message(chat, "yes, I am")).to_be_visible()
    saved(page, "Hand back")
    answered(chat, "/ping", "pong")


def test_a_day_in_the_panel(place: Place) -> None:
    """Set-up, a person, a ban and its revert, switches, a setting, a failure, a conversation."""
    set_up(place)
    chat = place.browser.new_page()
    open_page(chat, place.chat)
    chat.click('[data-empty] [data-say="/start"]')
    expect(message(chat, "Hello, Alice!")).to_be_visible()
    answered(chat, "/ping", "pong")
    is_seen(place, "/users/", "@alice")
    is_seen(place, "/events/", "user_joined")
    is_seen(place, "/", "Messages today\n2")
    ban_and_revert(place, chat)
    switch_and_set(place, chat)
    fail_and_replay(place, chat)
    take_over_and_hand_back(place, chat)
    pictures(place)
