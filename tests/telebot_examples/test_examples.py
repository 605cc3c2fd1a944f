"""Example bots of pyTelegramBotAPI run as plugins, at most two lines of each changed."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from telebot import version

from bot.testing import ChatKit
from tests.telebot_examples.moving import archive, changed_lines, moved_in, original

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "docs" / "telebot.md"
Chat = Callable[[ChatKit], None]
CHATS: dict[str, Chat] = {}
pytestmark = pytest.mark.usefixtures("telebot_source")


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """One of them makes telebot's log talk for the whole process."""
    logger = logging.getLogger("TeleBot")
    level = logger.level
    yield
    logger.setLevel(level)


def example(name: str) -> Callable[[Chat], Chat]:
    """Declare the chat that shows an example at its job."""

    def declare(chat: Chat) -> Chat:
        CHATS[name] = chat
        return chat

    return declare


def wire(kit: ChatKit, method: str) -> dict[str, Any]:
    """The newest call of a method."""
    return kit.calls(method)[-1]


def promote(kit: ChatKit) -> None:
    """Make the bot an administrator of the group, so that it sees everything there."""
    kit.telegram.member(kit.bot_id, kit.group.id, kit.bot_id, "administrator")
    kit.step()


@example("echo_bot.py")
def echo(kit: ChatKit) -> None:
    assert "I am EchoBot" in kit.bob.send("/start")[0]
    assert kit.bob.send("Anything nice") == ["Anything nice"]


@example("register_handler.py")
def registered(kit: ChatKit) -> None:
    assert kit.bob.send("/start") == ["Hello!"]


@example("continue_handling.py")
def both(kit: ChatKit) -> None:
    assert kit.bob.send("/start") == ["Hello World!", "Hello World2!"]


@example("deep_linking.py")
def deep_link(kit: ChatKit) -> None:
    assert kit.bob.send("/start") == ["Please visit me via a provided URL from the website."]
    assert kit.bob.send("/start abc") == ["Hello ABC, how are you?"]


@example("detect_changes.py")
def detects(kit: ChatKit) -> None:
    assert kit.bob.send("Still here") == ["Still here"]


@example("skip_updates_example.py")
def skips(kit: ChatKit) -> None:
    assert kit.bob.send("/help") == ["Howdy, how are you doing?"]


@example("formatting_example.py")
def formatted(kit: ChatKit) -> None:
    assert kit.bob.send("/start")[:2] == ["Bob Bob Bob Bob Bob", "Bob"]
    kinds = [entity["type"] for entity in kit.bob.messages[0]["entities"]]
    assert kinds == ["bold", "italic", "underline", "strikethrough", "pre"]
    assert kit.bob.messages[-1]["entities"][0]["unix_time"] == 1772366400


@example("inline_keyboard_example.py")
def buttons(kit: ChatKit) -> None:
    assert kit.bob.send("Well?") == ["Yes/no?"]
    assert kit.bob.buttons == ["Yes", "No"]
    assert kit.bob.tap("No") == "Answer is No"


@example("callback_data_examples/simple_products_example.py")
def products(kit: ChatKit) -> None:
    kit.bob.send("/products")
    assert kit.bob.tap("iphone 13") == "Not available :("
    kit.bob.tap("samsung s20")
    assert kit.bob.last == "Product name: samsung s20\nProduct price: 800"
    kit.bob.tap("⬅")
    assert kit.bob.last == "Products:"


@example("reply_keyboard_markup_example.py")
def keyboard(kit: ChatKit) -> None:
    kit.bob.send("/start")
    keys = json.loads(wire(kit, "sendMessage")["reply_markup"])["keyboard"]
    assert "".join(key["text"] for key in keys[1]) == "qwertyuiop"
    assert kit.bob.send("Symbols") == ["Special characters"]
    assert kit.bob.send("✅Done") == ["Done with Keyboard"]
    assert "remove_keyboard" in wire(kit, "sendMessage")["reply_markup"]


@example("mini_app.py")
def mini_app(kit: ChatKit) -> None:
    assert len(kit.bob.send("/start")) == 2
    assert kit.bob.buttons == ["Start MiniApp"]
    said = {"chat": kit.telegram.chats(kit.bot_id, kit.bob.id)[0]["chat"], "from": kit.bob.user}
    data = {"web_app_data": {"data": "42", "button_text": "Start MiniApp"}}
    kit.telegram.push(kit.bot_id, {"message": {"message_id": 90, "date": 1, **said, **data}})
    kit.step()
    assert kit.bob.last == 'Your message is "42"'


@example("inline_example.py")
def inline(kit: ChatKit) -> None:
    kit.telegram.inline(kit.bot_id, kit.bob.id, "text")
    kit.step()
    assert "Result2" in str(wire(kit, "answerInlineQuery")["results"])
    kit.telegram.inline(kit.bot_id, kit.bob.id, "")
    kit.step()
    assert "default" in str(wire(kit, "answerInlineQuery")["results"])


@example("poll_example.py")
def poll(kit: ChatKit) -> None:
    kit.bob.send("/poll")
    message = kit.bob.messages[-1]
    assert message["poll"]["question"] == "We are going to '' park."
    kit.telegram.vote(kit.bot_id, kit.bob.id, kit.bob.id, message["message_id"], [2])
    assert kit.core.step()


@example("message_reaction_example.py")
def reactions(kit: ChatKit) -> None:
    promote(kit)
    kit.alice.send("Nice", to=kit.group)
    react = wire(kit, "setMessageReaction")
    kit.telegram.react(kit.bot_id, kit.group.id, kit.bob.id, int(react["message_id"]), "👍")
    kit.step()
    assert kit.group.last == "You changed the reaction from [] to ['👍']"


@example("chat_member_example.py")
def members(kit: ChatKit) -> None:
    promote(kit)
    kit.telegram.member(kit.bot_id, kit.group.id, kit.dan.id, "left")
    kit.step()
    kit.telegram.member(kit.bot_id, kit.group.id, kit.dan.id, "member")
    kit.step()
    assert kit.group.last == "Hello Dan!"
    assert len(kit.calls("deleteMessage")) == 2


@example("chat_join_request.py")
def requests(kit: ChatKit) -> None:
    promote(kit)
    kit.dan.leave(kit.group)
    kit.dan.ask_to_join(kit.group)
    assert kit.group.last == "I accepted a new user!"
    assert wire(kit, "approveChatJoinRequest")["user_id"] == str(kit.dan.id)


@example("stars_payment.py")
def stars(kit: ChatKit) -> None:
    kit.bob.send("/start")
    kit.bob.send("50 Stars")
    assert kit.bob.messages[-1]["invoice"]["total_amount"] == 45
    assert kit.bob.pay() == ""
    assert kit.bob.last == "Payment for 50 Stars successful!"


@example("custom_filters/is_filter_example.py")
def replies(kit: ChatKit) -> None:
    first = kit.telegram.send(kit.bot_id, kit.bob.id, kit.bob.id, text="one")["message_id"]
    kit.telegram.send(kit.bot_id, kit.bob.id, kit.bob.id, text="two", reply_to=first)
    kit.step()
    assert kit.bob.texts == ["Looks like you replied to my message."]


@example("custom_filters/admin_filter_example.py")
def admins(kit: ChatKit) -> None:
    promote(kit)
    assert kit.bob.send("hi", to=kit.group) == []
    assert kit.alice.send("hi", to=kit.group) == ["hello my admin"]


@example("custom_filters/general_custom_filters.py")
def filters(kit: ChatKit) -> None:
    assert kit.bob.send("bye") == ["You said bye"]
    assert kit.bob.send("/admin@sandbox_bot", to=kit.group) == ["You are not admin"]
    assert kit.alice.send("/admin@sandbox_bot", to=kit.group) == ["Hi admin"]


@example("custom_filters/id_filter_example.py")
def ids(kit: ChatKit) -> None:
    assert kit.bob.send("/admin") == ["You are not allowed to use this command"]


@example("custom_filters/text_filter_example.py")
def texts(kit: ChatKit) -> None:
    assert kit.bob.send("hello") == ["Hi, Bob!"]
    assert kit.bob.send("@admin help") == ["Looks like you are calling admin, wait..."]


@example("custom_filters/advanced_text_filter.py")
def advanced(kit: ChatKit) -> None:
    assert kit.bob.send("HELLO") == ["HELLO ignore case"]
    assert kit.bob.send("stone") == ["stone"]
    kit.bob.send("/callback")
    assert kit.bob.tap("ignore case callback data") == "ExAmPLe ignore case"
    kit.bob.send("/poll")
    assert kit.bob.messages[-1]["poll"]["question"] == "WHEN DO you pRefeR to worK?"


@example("anonymous_bot.py")
def strangers(kit: ChatKit) -> None:
    assert kit.bob.send("/find") == ["Finding..."]
    assert kit.dan.send("/find") == ["Finding...", "Founded!"]
    kit.bob.send("Who are you?")
    assert kit.dan.last == "Who are you?"
    assert kit.dan.send("/stop") == ["Stopping..."]


@example("detailed_example/detailed_example.py")
def detailed(kit: ChatKit) -> None:
    assert kit.bob.send("/start")[1] == "Scanning complete, I know you now"
    assert kit.bob.send("hi") == ["I love you too!"]
    kit.bob.send("/getImage")
    assert kit.bob.send("Goofy")[-1] == "Please try again"


MAINS = {"custom_filters/advanced_text_filter.py"}
"""Those that add their filters only when they are the program."""


@pytest.mark.parametrize("name", CHATS)
def test_an_example_runs_as_a_plugin(name: str, tmp_path: Path) -> None:
    """At most two lines are changed, it does its job, and the list says so."""
    before = original(name)
    after = moved_in(before, main=name in MAINS)
    changed = changed_lines(before, after)
    assert 1 <= changed <= 2
    assert f"| `{name}` | {changed} |" in PAGE.read_text()
    (tmp_path / "moved.py").write_text(after, newline="")
    with ChatKit([tmp_path]) as kit:
        CHATS[name](kit)


def test_the_list_is_whole() -> None:
    """Twenty and more, and no line of the list without its chat."""
    rows = re.findall(r"^[|] `(.+[.]py)` [|]", PAGE.read_text(), re.MULTILINE)
    assert rows == list(CHATS) and len(rows) >= 20


def test_the_examples_are_those_of_the_library() -> None:
    """The source that was fetched is the one that the requirements name, by hash and version."""
    source = archive()
    assert source
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    assert f"--hash=sha256:{digest}" in (ROOT / "requirements.txt").read_text()
    assert source.name == f"pytelegrambotapi-{version.__version__}.tar.gz"
