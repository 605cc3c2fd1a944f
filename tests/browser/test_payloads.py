"""Hostile texts in every page of the panel, in a Chromium: nothing of them is carried out."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import BrowserContext, Dialog, Page, sync_playwright
from werkzeug.serving import make_server

from admin.app import create_app
from admin.panel import Panel
from bot.registry import Registry
from database import bind, now, open_database
from models import AnalyticsEvent, Bot, Chat, Conversation, Failure, User
from services import sessions
from settings import Secret, Settings
from staff import TABLES, Admin, ApiToken, Message, StaffNote, StaffRole
from tests.admin.payloads import PAYLOADS
from tests.browser.test_chat_page import CHROMIUM

BOT = 42
LISTS = """
/ /users/?page_size=100 /users/?search=script /conversations/ /plugins/ /failures/
/events/?page_size=100
/chats/?page_size=100 /bots/ /admins/ /tokens/ /audit/ /system/ /account/
""".split()


def write(number: int, text: str) -> None:
    """Somebody who wrote a text wherever people can: names, titles, words, data, file names."""
    at = now()
    user = User.create(
        telegram_id=1000 + number, first_name=text, last_name=text, username=text, source=text
    )
    update = {"message": {"text": text, "document": {"file_name": text}}}
    AnalyticsEvent.create(event_type="message", user=user, data={"callback": text, text: text})
    Chat.create(
        bot_id=BOT, telegram_id=-number - 1, kind="group", title=text, username=text,
        membership="member",
    )  # fmt: skip
    Conversation.create(
        bot_id=BOT, chat_id=user.telegram_id, user_id=user.telegram_id, step=text,
        data={text: text}, expires_at=at,
    )  # fmt: skip
    Failure.create(
        bot_id=BOT, update_id=number, plugin="notes", handler="save", error="ValueError",
        message=text, traceback=text, fingerprint=f"f{number}", payload=str(update),
        user_id=user.telegram_id, chat_id=user.telegram_id,
    )  # fmt: skip
    for kind in ("text", "document"):
        Message.create(
            bot_id=BOT, chat_id=user.telegram_id, user=user, state="received", kind=kind, text=text
        )
    Message.create(
        bot_id=BOT, chat_id=user.telegram_id, user=user, state="failed", text=text, error=text
    )
    StaffNote.create(user=user, text=text)


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    """The panel on a database full of hostile texts."""
    database = bind(open_database(f"sqlite:///{tmp_path / 'hostile.db'}"))
    with database.connection_context():
        database.create_tables(TABLES)
        owner = Admin.create(name="owner", role=StaffRole.OWNER)
        Bot.create(id=BOT, username=PAYLOADS[0], name=PAYLOADS[1])
        ApiToken.create(admin=owner, name=PAYLOADS[0], prefix="sg_1", digest="x", scopes=[])
        with database.atomic():
            for number, text in enumerate(PAYLOADS):
                write(number, text)
    settings = Settings(secret_key=Secret("k" * 32), plugins_path=(tmp_path,))
    yield create_app(Panel(settings, Registry()))
    database.close_all()


@pytest.fixture
def browser(app: Flask) -> Iterator[tuple[BrowserContext, str]]:
    """The owner's browser, and the address."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    token = sessions.begin(Admin.get(), address="", agent="", at=now())
    address = f"http://127.0.0.1:{server.port}"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        context = chromium.new_context()
        context.add_cookies([{"name": "steadygram", "value": token, "url": address}])
        yield context, address
        chromium.close()
    server.shutdown()
    thread.join()


def close(dialog: Dialog, troubles: list[str]) -> None:
    """Note a dialog, and let the page go on."""
    troubles.append(f"dialog: {dialog.message}")
    dialog.dismiss()


def watch(page: Page, troubles: list[str]) -> None:
    """Note whatever a text could bring about: a dialog, an error, a violation, another page."""
    page.on("dialog", lambda dialog: close(dialog, troubles))
    page.on(
        "console",
        lambda said: (
            troubles.append(f"{page.url}: {said.text}")
            if said.type in ("error", "warning")
            else None
        ),
    )
    page.on("pageerror", lambda error: troubles.append(f"{page.url}: {error}"))
    page.on("popup", lambda _: troubles.append(f"popup on {page.url}"))


def test_nothing_of_a_hostile_text_is_carried_out(browser: tuple[BrowserContext, str]) -> None:
    """Sixty texts in every field that people write, on every list and on each one's own pages."""
    context, address = browser
    troubles: list[str] = []
    page = context.new_page()
    watch(page, troubles)
    own = [
        path
        for number in range(1, len(PAYLOADS) + 1)
        for path in (
            f"/users/{number}",
            f"/failures/{number}",
            f"/chats/{number}",
            f"/conversations/{BOT}/{999 + number}",
        )
    ]
    for path in (*LISTS, *own):
        answer = page.goto(f"{address}{path}")
        assert answer is not None and answer.status == 200, path
        assert page.url == f"{address}{path}", "a text led away"
        page.evaluate("new Promise(requestAnimationFrame)")
    assert troubles == []


def test_the_control_is_noticed(browser: tuple[BrowserContext, str]) -> None:
    """A page that does show a text as it is would be told."""
    context, address = browser
    troubles: list[str] = []
    page = context.new_page()
    watch(page, troubles)
    page.goto(f"{address}/login")
    page.evaluate("document.body.innerHTML = '<img src=x onerror=alert(1)>'")
    page.wait_for_timeout(300)
    assert troubles
