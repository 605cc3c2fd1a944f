"""A token is made in Chromium and used on the API's page, under the panel's own policy."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright
from werkzeug.serving import make_server

from admin.app import create_app
from admin.panel import Panel
from bot.registry import Registry
from database import Sqlite, bind, now, open_database
from models import User
from services import sessions
from settings import Secret, Settings
from staff import TABLES, Admin, StaffRole
from tests.browser.test_chat_page import CHROMIUM
from tests.browser.test_journey import SHAPES

EVIL = '<img src=x onerror="document.title=1">'


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Where a panel with an admin and one person is served."""
    database = bind(open_database(f"sqlite:///{tmp_path / 'panel.db'}"))
    assert isinstance(database, Sqlite)
    with database.connection_context():
        database.create_tables(TABLES)
        User.create(telegram_id=5, first_name=EVIL)
    app = create_app(Panel(Settings(secret_key=Secret("k" * 32)), Registry()))
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()
    database.close_all()


@pytest.fixture
def page(address: str) -> Iterator[Page]:
    """An admin's browser; its console may not complain, and it may ask nobody else."""
    admin = Admin.create(name="ada", role=StaffRole.ADMIN)
    token = sessions.begin(admin, address="", agent="", at=now())
    troubles: list[str] = []
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        context = browser.new_context(base_url=address, viewport={"width": 1280, "height": 800})
        context.add_cookies([{"name": "steadygram", "value": token, "url": address}])
        page = context.new_page()
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on(
            "console", lambda said: troubles.append(said.text) if said.type == "error" else None
        )
        page.on(
            "request",
            lambda request: (
                None if request.url.startswith((address, "data:")) else troubles.append(request.url)
            ),
        )
        page.on("dialog", lambda dialog: dialog.accept())
        yield page
        browser.close()
    assert troubles == []


def test_a_token_is_made_used_and_revoked(page: Page) -> None:
    """Shown once, it opens the API on its page; then it is revoked, and is refused."""
    page.goto("/tokens/")
    keep(page, "tokens-empty")
    page.click("text=Make the first one")
    page.fill("#name", "deploy")
    page.check('input[value="users:read"]')
    keep(page, "tokens-new")
    page.click("text=Make the token")
    secret = page.get_by_label("The token").input_value()
    keep(page, "tokens-made", replace=secret)
    page.goto("/api/v1/docs")
    page.click(".authorize")
    page.fill(".auth-container input", secret)
    page.click(".modal-btn.authorize")
    page.click(".btn-done")
    list_ = page.locator("#operations-People-list_users")
    list_.locator(".opblock-summary").click()
    list_.locator(".try-out__btn").click()
    list_.locator(".execute").click()
    expect(list_.locator(".live-responses-table").first).to_contain_text("onerror")
    assert page.title() == "REST API · Steadygram"
    keep(page, "api")
    page.goto("/tokens/")
    keep(page, "tokens")
    page.click("text=Revoke")
    expect(page.locator("tbody .badge-bad")).to_have_text("revoked")
    bearer = {"Authorization": f"Bearer {secret}"}
    assert page.request.get("/api/v1/users", headers=bearer).status == 401


def keep(page: Page, name: str, *, replace: str = "") -> None:
    """Keep pictures of the page, where SCREENSHOTS says so; none is wider than a phone."""
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390, name
    if folder := os.environ.get("SCREENSHOTS"):
        if replace:
            page.get_by_label("The token").evaluate("box => box.value = 'sg_…'")
        for shape, (width, height) in SHAPES.items():
            page.set_viewport_size({"width": width, "height": height})
            for theme in ("light", "dark"):
                page.emulate_media(color_scheme=theme)
                page.evaluate("theme => document.documentElement.dataset.theme = theme", theme)
                page.screenshot(path=Path(folder) / f"{name}-{shape}-{theme}.png")
    page.set_viewport_size({"width": 1280, "height": 800})
