"""A sandbox with a still clock and a bot that Alice has started."""

from __future__ import annotations

import pytest

from sandbox.telegram import Telegram
from tests.sandbox.chatting import ALICE, BOT, Bot, Clock, sandbox


@pytest.fixture
def clock() -> Clock:
    """The sandbox's time."""
    return Clock()


@pytest.fixture
def telegram(clock: Clock) -> Telegram:
    """A sandbox in which nothing has happened."""
    return sandbox(clock)


@pytest.fixture
def bot(telegram: Telegram) -> Bot:
    """A bot to which Alice has written, with no update waiting."""
    bot = Bot(telegram)
    bot.ok("getMe")
    telegram.send(BOT, ALICE, ALICE, text="/start")
    bot.ok("deleteWebhook", drop_pending_updates=True)
    return bot
