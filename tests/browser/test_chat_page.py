"""The chat page in a headless Chromium, with an echo bot behind it; run by `make browser`."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from sandbox.telegram import Telegram
from tests.sandbox.serving import ALICE, TOKEN, serving

BOT = 1_000_000_001
BOB = 1002
GROUP = -1001000000001
CHANNEL = -1002000000001
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x05\0\0\0\x05\x08\x02\0\0\0"
EVIL = "<img src=x onerror=alert(1)><script>alert(1)</script>"
KEYS = {
    "inline_keyboard": [
        [{"text": "Toast", "callback_data": "toast"}, {"text": "Alert", "callback_data": "alert"}],
        [{"text": "Edit", "callback_data": "edit"}, {"text": "Delete", "callback_data": "delete"}],
    ]
}


class EchoBot:
    """A bot that echoes, shows keyboards and answers buttons, straight on the engine."""

    def __init__(self, telegram: Telegram) -> None:
        self._telegram = telegram
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        commands = [
            {"command": "start", "description": "Start here"},
            {"command": "stop", "description": "Stop it"},
        ]
        self.call("setMyCommands", commands=commands)
        self._thread.start()

    def call(self, method: str, **params: object) -> Any:
        """Make a call as the bot."""
        return self._telegram.call(TOKEN, method, params).body.get("result")

    def close(self) -> None:
        """End the bot."""
        self._stop.set()
        self.call("getUpdates", offset=-1, timeout=0)  # ends the one that waits
        self._thread.join(10)

    def _run(self) -> None:
        offset = 0
        while not self._stop.is_set():
            for update in self.call("getUpdates", offset=offset, timeout=10) or []:
                offset = update["update_id"] + 1
                if "text" in update.get("message", {}):
                    self._hear(update["message"])
                if "callback_query" in update:
                    self._pressed(update["callback_query"])

    def _hear(self, message: dict[str, Any]) -> None:
        chat, text = message["chat"]["id"], message["text"]
        if text == "/start":
            self.call("sendMessage", chat_id=chat, text="Choose", reply_markup=KEYS)
        elif text == "keys":
            rows = {"keyboard": [["Tea", "Coffee"]]}
            self.call("sendMessage", chat_id=chat, text="Tea or coffee?", reply_markup=rows)
        elif text == "type":
            self.call("sendChatAction", chat_id=chat, action="typing")
        else:
            self.call("sendMessage", chat_id=chat, text=f"You said: {text}")

    def _pressed(self, query: dict[str, Any]) -> None:
        answer = {"callback_query_id": query["id"], "text": f"It is {query['data']}"}
        self.call("answerCallbackQuery", **answer, show_alert=query["data"] == "alert")
        place = {"chat_id": ALICE, "message_id": query["message"]["message_id"]}
        if query["data"] == "edit":
            self.call("editMessageText", **place, text="Edited by the bot")
        if query["data"] == "delete":
            self.call("deleteMessage", **place)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests."""
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def telegram() -> Telegram:
    """A fresh sandbox."""
    return Telegram()


@pytest.fixture
def bot(telegram: Telegram) -> Iterator[EchoBot]:
    """An echo bot in it."""
    bot = EchoBot(telegram)
    yield bot
    bot.close()


@pytest.fixture
def open_page(telegram: Telegram, bot: EchoBot, browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens the page; afterwards, no error and no policy violation may have been reported."""
    troubles: list[str] = []

    def note(said: ConsoleMessage) -> None:
        if said.type in ("error", "warning"):
            troubles.append(said.text)

    def open_one(**options: Any) -> Page:
        page = browser.new_page(**{"viewport": {"width": 1280, "height": 800}, **options})
        page.set_default_timeout(5000)
        page.on("console", note)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.goto(f"http://127.0.0.1:{port}/")
        page.wait_for_selector("[data-chat]")
        page.wait_for_selector('[data-connection="on"]', state="attached")
        return page

    with serving(telegram) as port:
        yield open_one
        for context in browser.contexts:
            context.close()
    assert troubles == []


@pytest.fixture
def page(open_page: Callable[..., Page]) -> Page:
    """The page at a desktop's size."""
    return open_page()


def say(page: Page, text: str) -> None:
    """Type a text and press Enter."""
    page.fill("[data-input]", text)
    page.press("[data-input]", "Enter")


def message(page: Page, text: str) -> Any:
    """The newest bubble that holds a text."""
    return page.locator("[data-message]", has_text=text).last


def test_start_and_talk(page: Page) -> None:
    """The empty chat says what to do; a word comes back, escaped."""
    page.click('[data-empty] [data-say="/start"]')
    expect(message(page, "Choose")).to_be_visible()
    say(page, EVIL)
    expect(message(page, "You said:")).to_contain_text(EVIL)
    expect(page.locator("[data-messages] img, [data-messages] script")).to_have_count(0)


def test_buttons_answer(page: Page) -> None:
    """A toast, an alert, an edit and a deletion, each seen."""
    say(page, "/start")
    page.click('[data-label="Toast"]')
    expect(page.locator("[data-toast]")).to_have_text("It is toast")
    page.click('[data-label="Alert"]')
    expect(page.locator("[data-alert-text]")).to_have_text("It is alert")
    page.keyboard.press("Enter")
    expect(page.locator("[data-alert]")).not_to_be_visible()
    page.click('[data-label="Delete"]')
    expect(page.locator(".deleted")).to_have_count(1)
    say(page, "/start")
    page.click('[data-label="Edit"]')
    edited = message(page, "Edited by the bot")
    expect(edited.locator(".edited")).to_be_visible()
    expect(page.locator("[data-label]")).to_have_count(0)


def test_the_keyboard_of_the_bot(page: Page) -> None:
    """A reply keyboard writes for the person, and can be folded away."""
    say(page, "keys")
    page.click('[data-key="Coffee"]')
    expect(message(page, "You said: Coffee")).to_be_visible()
    page.click('[data-action="keyboard"]')
    expect(page.locator("[data-reply-keyboard]")).not_to_be_visible()


def test_the_command_menu(page: Page) -> None:
    """A slash opens it, letters narrow it, arrows and Enter choose, Escape closes."""
    page.locator("[data-input]").press_sequentially("/")
    expect(page.locator("[data-command]")).to_have_count(2)
    page.keyboard.press("Escape")
    expect(page.locator("[data-command-menu]")).not_to_be_visible()
    page.fill("[data-input]", "/st")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(message(page, "You said: /stop")).to_be_visible()


def test_keys_of_the_input(page: Page) -> None:
    """Shift+Enter makes a line, ArrowUp brings back what was sent."""
    page.locator("[data-input]").press_sequentially("one")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("two")
    page.keyboard.press("Enter")
    expect(message(page, "You said: one\ntwo")).to_be_visible()
    page.keyboard.press("ArrowUp")
    expect(page.locator("[data-input]")).to_have_value("one\ntwo")


def test_reply_edit_and_react(page: Page) -> None:
    """The tools of a bubble: answer it, change it, react to it."""
    say(page, "Helo")
    mine = page.locator(".mine").first
    mine.hover()
    mine.locator('[data-tool="edit"]').click()
    say(page, "Hello")
    expect(mine.locator(".edited")).to_be_visible()
    answer = message(page, "You said: Helo")
    answer.hover()
    answer.locator('[data-tool="reply"]').click()
    say(page, "Thanks")
    expect(page.locator(".mine .quote")).to_contain_text("You said: Helo")
    answer.hover()
    answer.locator('[data-tool="react"]').click()
    answer.locator('.picker [data-react="👍"]').click()
    expect(answer.locator('.reactions [data-react="👍"]')).to_have_attribute("aria-pressed", "true")


def test_a_chat_is_saved_as_a_test(page: Page) -> None:
    """The open chat, to be mended and downloaded."""
    say(page, "Hello")
    expect(message(page, "You said: Hello")).to_be_visible()
    page.click('[data-action="record"]')
    text = page.locator("[data-recording-text]")
    expect(text).to_have_value(re.compile(r'assert alice.send\("Hello"\) == \["You said: Hello"\]'))
    text.fill("mended")
    with page.expect_download() as download:
        page.click('[data-action="recording-save"]')
    assert download.value.suggested_filename == "test_chat.py"
    assert download.value.path().read_text() == "mended"


def test_files_go_both_ways(page: Page, bot: EchoBot, tmp_path: Path) -> None:
    """A photo is shown, a document is offered, a dropped file is attached."""
    photo = tmp_path / "sea.png"
    photo.write_bytes(PNG)
    page.set_input_files("[data-file]", photo)
    expect(page.locator("[data-strip-title]")).to_have_text("sea.png")
    say(page, "The sea")
    expect(page.locator(".mine [data-photo] img")).to_have_count(1)
    drop = """area => { const data = new DataTransfer();
        data.items.add(new File(["text"], "notes.txt", {type: "text/plain"}));
        area.dispatchEvent(new DragEvent("drop", {dataTransfer: data, bubbles: true})); }"""
    page.locator("[data-scroller]").evaluate(drop)
    page.click(".send")
    expect(page.locator(".mine .file")).to_contain_text("notes.txt")


def test_people_have_chats_of_their_own(page: Page) -> None:
    """Bob's chat is not Alice's; what waits for somebody else is counted."""
    say(page, "I am Alice")
    expect(message(page, "You said: I am Alice")).to_be_visible()
    page.click(f'[data-person="{BOB}"]')
    expect(page.locator("[data-empty]")).to_be_visible()
    page.click(f'[data-chat="{GROUP}"]')
    say(page, "Hello everybody")
    expect(page.locator(f'[data-person="{ALICE}"] [data-unread]')).to_have_text("1")
    page.click(f'[data-person="{ALICE}"]')
    expect(message(page, "Hello everybody").locator(".name")).to_have_text("Bob")
    expect(page.locator("[data-unread]:visible")).to_have_count(2)


def test_group_and_channel(page: Page) -> None:
    """One can leave and come back; only the owner posts in the channel."""
    page.click(f'[data-person="{BOB}"]')
    page.click(f'[data-chat="{GROUP}"]')
    page.click('[data-action="membership"]')
    expect(page.locator("[data-read-only]")).to_have_text("You are not in this group.")
    page.click('[data-action="membership"]')
    expect(page.locator("[data-composer]")).to_be_visible()
    page.click(f'[data-chat="{CHANNEL}"]')
    expect(page.locator("[data-read-only]")).to_have_text("Only Alice can post here.")
    page.click(f'[data-person="{ALICE}"]')
    say(page, "Big news")
    expect(message(page, "Big news")).to_be_visible()


def test_blocking_the_bot(page: Page, bot: EchoBot) -> None:
    """A blocked bot cannot write; unblocking lets it in again."""
    say(page, "/start")
    expect(message(page, "Choose")).to_be_visible()
    page.click('[data-action="membership"]')
    expect(page.locator("[data-chat-subtitle]")).to_have_text("bot · blocked")
    assert bot.call("sendMessage", chat_id=ALICE, text="Are you there?") is None
    page.click('[data-action="membership"]')
    say(page, "Back")
    expect(message(page, "You said: Back")).to_be_visible()


def test_calls_and_messages_lead_to_each_other(page: Page) -> None:
    """A bubble opens its call; the call shows its message; the token is in neither."""
    say(page, "/start")
    message(page, "Choose").locator(".bubble").click()
    call = page.locator('[data-panel="calls"] [data-method="sendMessage"]').first
    expect(call.locator(".json").last).to_contain_text('"ok": true')
    assert TOKEN not in page.content()
    call.locator("[data-show-message]").click()
    expect(page.locator(".message.flash")).to_contain_text("Choose")
    page.fill("[data-call-filter]", "editMessage")
    expect(page.locator("[data-call]")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(page.locator('[data-panel="calls"]')).not_to_be_visible()


def test_faults_are_made_and_healed(page: Page, telegram: Telegram) -> None:
    """The panel adds a fault, shows it until it is used up, and heals."""
    page.click('.sidebar-foot [data-action="faults"]')
    page.select_option("[data-fault-kind]", "429")
    page.fill('[data-fault-form] [name="method"]', "sendMessage")
    page.fill('[data-fault-form] [name="times"]', "1")
    page.click('[data-fault-form] [type="submit"]')
    expect(page.locator("[data-fault]")).to_contain_text("sendMessage, 1 more time")
    say(page, "lost")
    expect(page.locator("[data-fault]")).to_have_count(0)
    page.select_option("[data-fault-kind]", "502")
    page.fill('[data-fault-form] [name="times"]', "")
    page.click('[data-fault-form] [type="submit"]')
    expect(page.locator("[data-fault]")).to_contain_text("until healed")
    page.click('[data-action="heal"]')
    expect(page.locator("[data-fault]")).to_have_count(0)
    assert telegram.faults == []


def test_several_bots_can_be_chosen(page: Page) -> None:
    """A second bot brings a choice; each has chats of its own."""
    say(page, "For the first bot alone")
    expect(message(page, "You said: For")).to_be_visible()
    for token in (TOKEN, "42:second_second_second"):
        with urlopen(f"{page.url}bot{token}/getMe", timeout=5) as answer:
            assert answer.status == 200
    page.select_option("[data-bot-select]", "42")
    expect(page.locator("[data-chat-title]")).to_have_text("Bot 42")
    expect(page.locator("[data-empty]")).to_be_visible()
    page.select_option("[data-bot-select]", str(BOT))
    expect(message(page, "You said: For")).to_be_visible()


def test_a_link_to_the_bot_stays_inside(page: Page, bot: EchoBot) -> None:
    """A deep link starts the bot in the sandbox instead of leaving it."""
    bot.call("sendMessage", chat_id=GROUP, text="https://t.me/sandbox_bot?start=ref_1001")
    page.click(f'[data-person="{BOB}"]')
    page.click(f'[data-chat="{GROUP}"]')
    page.click(".text a")
    expect(message(page, "You said: /start ref_1001")).to_be_visible()
    expect(page.locator("[data-chat-title]")).to_have_text("Sandbox bot")


def test_typing_is_shown(page: Page) -> None:
    """While the bot types, the chat says so."""
    say(page, "type")
    expect(page.locator("[data-chat-subtitle]")).to_have_text("typing…")


def test_light_and_dark(open_page: Callable[..., Page]) -> None:
    """The page follows the system until somebody chooses; the choice is kept."""
    page = open_page(color_scheme="dark")
    root = page.locator("html")
    expect(root).to_have_attribute("data-theme", "dark")
    page.click('[data-action="theme"]')
    expect(root).to_have_attribute("data-theme", "light")
    page.reload()
    expect(root).to_have_attribute("data-theme", "light")


def test_a_phone_shows_one_pane(open_page: Callable[..., Page]) -> None:
    """The list, then the chat, then back; nothing is wider than the screen."""
    page = open_page(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    expect(page.locator("[data-composer]")).not_to_be_visible()
    page.tap(f'[data-chat="{ALICE}"]')
    say(page, "x" * 300)
    expect(message(page, "You said: x")).to_be_visible()
    expect(page.locator("[data-chats]")).not_to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.tap('[data-action="back"]')
    expect(page.locator("[data-chats]")).to_be_visible()


def test_every_control_has_a_name_and_enough_contrast(open_page: Callable[..., Page]) -> None:
    """Buttons and fields say what they are, and text stands out by 4.5 to 1 in both themes."""
    for scheme in ("light", "dark"):
        page = open_page(color_scheme=scheme)
        say(page, "/start")
        expect(message(page, "Choose").last).to_be_visible()
        page.click('.sidebar-foot [data-action="faults"]')
        assert page.evaluate(NAMELESS) == []
        assert page.evaluate(FAINT) == []
        page.context.close()


NAMELESS = """() => [...document.querySelectorAll("button, input, select, textarea")]
  .filter((one) => one.offsetParent && !one.getAttribute("aria-label") && !one.textContent.trim()
    && !one.closest("label")).map((one) => one.outerHTML)"""
FAINT = """() => {
  const rgba = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (one) => {
    for (let at = one; at; at = at.parentElement) {
      const color = rgba(getComputedStyle(at).backgroundColor);
      if (color.length === 3 || color[3] > 0.9) return color;
    }
    return rgba(getComputedStyle(document.body).backgroundColor);
  };
  const texts = [...document.querySelectorAll("body *")].filter((one) => one.offsetParent
    && [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim()));
  return texts.map((one) => {
    const pair = [light(rgba(getComputedStyle(one).color)), light(ground(one))];
    return [(Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05), one.outerHTML.slice(0, 90)];
  }).filter(([ratio]) => ratio < 4.5);
}"""
