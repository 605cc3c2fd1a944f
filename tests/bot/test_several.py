"""Several bots in one process: a poller and a lease each, the same plugins and people."""

from __future__ import annotations

from pathlib import Path

from bot.lease import Lease
from bot.testing import ChatKit
from database import Database
from models import Bot, User
from models import Inbox as Row

PLUGINS = [Path(__file__).parent / "plugins"]
FIRST, SECOND = 1111111, 2222222
TOKENS = f"{FIRST}:{'a' * 35},{SECOND}:{'b' * 35}"


def texts(kit: ChatKit, bot_id: int, chat_id: int) -> list[str]:
    """What a bot wrote in a chat."""
    history = kit.telegram.history(bot_id, chat_id)
    return [message["text"] for message in history if message["from"]["is_bot"]]


def test_each_bot_answers_for_itself(database: Database) -> None:
    """A person who writes to two bots is one user with two chats, and two conversations."""
    with ChatKit(PLUGINS, database=database, TELEGRAM_BOT_TOKEN=TOKENS) as kit:
        for bot_id, text in ((FIRST, "/ping"), (SECOND, "/ask"), (FIRST, "hi"), (SECOND, "Bob")):
            kit.telegram.send(bot_id, 1002, 1002, text=text)
        kit.step()
        assert texts(kit, FIRST, 1002) == ["pong", "? hi"]
        assert texts(kit, SECOND, 1002) == ["Your name?", "Hello, Bob"]
        assert [user.total_messages for user in User.select()] == [4]
        assert sorted(row.bot_id for row in Row.select()) == [FIRST, FIRST, SECOND, SECOND]
        assert sorted(bot.id for bot in Bot.select()) == [FIRST, SECOND]


def test_one_bot_may_be_led_elsewhere(database: Database) -> None:
    """Each bot has a lease of its own: losing one does not touch what the other commits."""
    with ChatKit(PLUGINS, database=database, TELEGRAM_BOT_TOKEN=TOKENS) as kit:
        kit.telegram.send(FIRST, 1002, 1002, text="/ping")
        kit.step()
        assert Lease(f"poller:{SECOND}", owner="other", dead=lambda owner: True).step()
        kit.telegram.send(FIRST, 1002, 1002, text="/ping")
        kit.core.seats[0].poller.step(0)
        while kit.core.crew.step():
            kit.core.ledger.flush()
        assert texts(kit, FIRST, 1002) == ["pong", "pong"]
        assert {row.state for row in Row.select()} == {"done"}
