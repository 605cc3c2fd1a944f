"""The whole of it as a person sees it: `python -m bot up`, the chat page, a kill in the middle.

With SCREENSHOTS=folder each station is kept as a picture, light and dark, wide and narrow.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.browser.test_chat_page import CHROMIUM, message, say
from tests.ports import free_port

ROOT = Path(__file__).resolve().parent.parent.parent
SHAPES = {"desktop": (1280, 800), "phone": (390, 844)}


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """The chat page of a bot that was started as `make run` starts it."""
    port = free_port()
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/"),
        "DATABASE_URL": f"sqlite:///{tmp_path / 'journey.db'}",
        "SANDBOX_PORT": str(port),
        "METRICS_PORT": str(free_port()),
        "TELEGRAM_BOT_TOKEN": "",
    }
    log = (tmp_path / "up.log").open("wb")
    up = subprocess.Popen(
        [sys.executable, "-m", "bot", "up"], cwd=ROOT, env=environ, stdout=log, stderr=log
    )
    yield f"http://127.0.0.1:{port}/"
    up.send_signal(signal.SIGINT)
    assert up.wait(30) == 0, (tmp_path / "up.log").read_text()
    log.close()


@pytest.fixture
def page(address: str) -> Iterator[Page]:
    """The chat page, opened when it answers; no script error may be left."""
    troubles: list[str] = []
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.on("pageerror", lambda error: troubles.append(str(error)))
        open_page(page, address)
        yield page
        browser.close()
    assert troubles == []


def open_page(page: Page, address: str) -> None:
    """Go there as soon as somebody answers."""
    deadline = time.monotonic() + 30
    while True:
        try:
            page.goto(address)
            break
        except Exception:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
    page.wait_for_selector("[data-chat]", timeout=20_000)


def picture(page: Page, name: str) -> None:
    """Keep what is seen, in every shape and both lights, when a folder for it is named."""
    folder = os.environ.get("SCREENSHOTS")
    if not folder:
        return
    for shape, (width, height) in SHAPES.items():
        page.set_viewport_size({"width": width, "height": height})
        for light in ("light", "dark"):
            page.evaluate(f"document.documentElement.dataset.theme = '{light}'")
            if shape == "phone" and page.locator('[data-view="list"]').count():
                page.locator("[data-chat]").first.click()
            page.wait_for_timeout(600)  # colours and bubbles move for a moment
            page.screenshot(path=str(Path(folder) / f"{name}-{shape}-{light}.png"))
    page.evaluate("document.documentElement.dataset.theme = 'light'")
    page.set_viewport_size({"width": 1280, "height": 800})


def children(pid: int) -> list[int]:
    """The processes below a process."""
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False)
    below = [int(word) for word in found.stdout.split()]
    return below + [other for child in below for other in children(child)]


def bot_process() -> int:
    """The process that polls: the one that runs `bot run` without a keeper's flag."""
    for pid in children(os.getpid()):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[:-1]
        if words[-2:] == [b"bot", b"run"]:
            return pid
    raise AssertionError("the bot does not run")


def reply(page: Page, text: str) -> Any:
    """Wait for a bubble of the bot with this text."""
    bubble = message(page, text)
    expect(bubble).to_be_visible(timeout=20_000)
    return bubble


def test_a_person_meets_the_bot(page: Page) -> None:
    """/start, a note, a button, Russian, and a question that outlives a SIGKILL."""
    picture(page, "1-empty")
    page.click('[data-empty] [data-say="/start"]')
    reply(page, "Hello, Alice!")
    say(page, "/help")
    reply(page, "This is what I can do:")
    picture(page, "2-help")
    say(page, "/note")
    reply(page, "What shall I note?")
    say(page, "Buy milk")
    reply(page, "Noted.")
    say(page, "/notes")
    reply(page, "1. Buy milk")
    picture(page, "3-notes")
    page.click('[data-label="Delete 1"]')
    expect(page.locator("[data-toast]")).to_have_text("Deleted.", timeout=10_000)
    reply(page, "There are no notes here.")
    say(page, "/language")
    reply(page, "Which language shall I speak?")
    page.click('[data-label="Русский"]')
    reply(page, "Теперь я говорю по-русски.")
    say(page, "/note")
    reply(page, "Что записать?")
    killed = bot_process()
    os.kill(killed, signal.SIGKILL)
    say(page, "Купить хлеб")
    reply(page, "Записано.")
    assert bot_process() != killed
    say(page, "/notes")
    reply(page, "1. Купить хлеб")
    picture(page, "4-russian")
