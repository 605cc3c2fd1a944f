"""Modules in telebot's plain style: the same boundary, metrics, switches and order as a plugin."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.testing import ChatKit
from models import Failure

MODULE = '''
"""A bot as its author had it."""


def register(bot):
    @bot.message_handler(commands=["say"])
    def say(message):
        bot.reply_to(message, message.text)

    @bot.message_handler(commands=["name"])
    def name(message):
        sent = bot.reply_to(message, "Your name?")
        bot.register_next_step_handler(sent, greet, "Hello")
        bot.register_for_reply(sent, replied)

    def greet(message, word):
        if message.text == "nobody":
            raise LookupError("nobody")
        bot.send_message(message.chat.id, f"{word}, {message.text}")

    def replied(message):
        bot.send_message(message.chat.id, "A reply.")

    @bot.callback_query_handler(func=lambda call: call.data.index("x") >= 0)
    def tap(call):
        bot.answer_callback_query(call.id, "tapped")

    @bot.edited_message_handler(func=lambda message: True)
    def edited(message):
        bot.send_message(message.chat.id, "edited")

    @bot.message_handler(func=lambda message: 1 / len(message.text.replace("?", "")) < 0)
    def never(message):
        pass

    @bot.message_handler(func=lambda message: message.text == "mine")
    def mine(message):
        bot.send_message(message.chat.id, "the module's")
'''
PLUGIN = '''
"""A plugin beside it."""
from bot import Context, Plugin

plugin = Plugin(__name__)


@plugin.on("message", func=lambda message: message.text in ("mine", "ours"))
def answer(ctx: Context) -> str:
    return "the plugin's"


@plugin.on("message", last=True)
def rest(ctx: Context) -> str:
    return "the rest"
'''


@pytest.fixture
def kit(tmp_path: Path) -> Iterator[ChatKit]:
    """A module that stands between two plugins in the order of names."""
    (tmp_path / "middle.py").write_text(MODULE)
    (tmp_path / "zebra.py").write_text(PLUGIN)
    with ChatKit([tmp_path]) as kit:
        yield kit


NAMES = {
    *("middle.say", "middle.name", "middle.tap", "middle.edited", "middle.never", "middle.mine"),
    *("zebra.answer", "zebra.rest"),
}


def handled(caplog: pytest.LogCaptureFixture) -> list[tuple[object, ...]]:
    """Plugin, handler and outcome of each update in the log."""
    lines = [vars(r) for r in caplog.records if r.getMessage() == "bot_event_processed"]
    return [(line["plugin"], line["handler"], line["outcome"]) for line in lines]


def test_its_handlers_have_names(kit: ChatKit, caplog: pytest.LogCaptureFixture) -> None:
    """In the metrics and the log, also of what waits for a next message."""
    with caplog.at_level(logging.INFO):
        kit.bob.send("/say hello")
        kit.bob.send("/name")
        assert kit.bob.send("Bob") == ["Hello, Bob"]
    assert handled(caplog) == [("middle", name, "ok") for name in ("say", "name", "greet")]
    metrics = kit.core.parts.metrics.registry
    labels = {"handler": "middle.greet", "status": "ok"}
    assert metrics.get_sample_value("bot_messages_total", labels) == 1


def test_its_handlers_are_known_before_they_run(kit: ChatKit) -> None:
    """Beside those of plugins, so that their failures are counted from 0."""
    dispatch, seat = kit.core.dispatch, kit.core.seats[0]
    names = {f"{each.plugin}.{each.name}" for each in dispatch.handlers(seat.client.telebot)}
    assert names == NAMES


def test_its_failures_are_its_own(kit: ChatKit) -> None:
    """A handler, a step and a filter that raise: an apology, and a row with the names."""
    kit.bob.send("/name")
    kit.bob.send("nobody")
    assert kit.bob.last == "Sorry, something went wrong. The owners have been told."
    kit.bob.send("???")
    rows = [(row.plugin, row.handler, row.error) for row in Failure.select().order_by(Failure.id)]
    assert rows == [
        ("middle", "greet", "LookupError"),
        ("middle", "never", "ZeroDivisionError"),
    ]


def test_it_is_switched_off(kit: ChatKit) -> None:
    """In one chat and everywhere: handlers, and what waits for a next message."""
    kit.bob.send("/name")
    kit.switches.set("middle", False, kit.bob.id)
    assert kit.bob.send("Bob") == []
    assert kit.bob.send("mine") == ["the plugin's"]
    assert kit.dan.send("mine") == ["the module's"]
    kit.switches.set("middle", False)
    assert kit.dan.send("mine") == ["the plugin's"]


def test_it_stands_in_the_order_of_names(kit: ChatKit, tmp_path: Path) -> None:
    """A plugin with an earlier name is asked before it, one with a later name after it."""
    assert kit.bob.send("mine") == ["the module's"]
    assert kit.bob.send("ours") == ["the plugin's"]
    assert kit.bob.send("nobody's") == ["the rest"]
    (tmp_path / "zebra.py").rename(tmp_path / "aardvark.py")
    with ChatKit([tmp_path]) as other:
        assert other.bob.send("mine") == ["the plugin's"]


def test_a_command_for_another_bot(kit: ChatKit) -> None:
    """It is left alone, and one that names us is taken, in any case of the letters."""
    assert kit.bob.send("/say@other_bot hello") == ["the rest"]
    assert kit.bob.send("/say@Sandbox_Bot hello") == ["/say@Sandbox_Bot hello"]


def test_other_kinds_reach_it(kit: ChatKit) -> None:
    """An edit, and a reply to what it waits for."""
    sent = kit.telegram.send(kit.bot_id, kit.bob.id, kit.bob.id, text="ours")
    kit.step()
    kit.telegram.edit(kit.bot_id, kit.bob.id, kit.bob.id, sent["message_id"], "edited")
    kit.step()
    assert kit.bob.last == "edited"
