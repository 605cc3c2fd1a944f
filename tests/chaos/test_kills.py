"""Kills: whatever the moment, nothing is lost, counted twice or out of order."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.quarantine import KILLS
from database import Database, bind, open_database
from models import Failure, User
from tests.chaos.accountant import Account, balance
from tests.chaos.town import Town, kill, shuffled

SEED = 20260501


@pytest.fixture
def database(empty_database_url: str) -> Iterator[Database]:
    """An open database whose tables the town makes by migrating."""
    database = bind(open_database(empty_database_url))
    yield database
    database.close_all()


@pytest.fixture
def town(database: Database, empty_database_url: str, tmp_path: Path) -> Iterator[Town]:
    """A town on each engine."""
    town = Town(tmp_path, empty_database_url)
    town.migrate()
    yield town
    town.close()


def run(
    town: Town, database: Database, *, updates: int, chats: int, kills: int, control: str = ""
) -> Account:
    """Send numbered updates while the bot is killed again and again; account for all of them."""
    order = shuffled(updates, chats, SEED)
    writer = threading.Thread(target=_write, args=(town, order))
    options = [control] if control else []
    bot = town.start(*options)
    writer.start()
    dice = random.Random(SEED)
    for _ in range(kills):
        town.wait_for_handled(town.handled() + 50)
        time.sleep(dice.uniform(0.0, 0.5))
        kill(bot)
        bot = town.start(*options)
    writer.join()
    town.drain(database)
    kill(bot)
    sent = Counter(chat for chat, _ in order)
    counters = {user.telegram_id: user.total_messages for user in User.select()}
    return balance(sent, town.journal, counters)


def _write(town: Town, order: list[tuple[int, int]]) -> None:
    for place, (chat, number) in enumerate(order):
        town.telegram.write(chat, number)
        if place % 20 == 19:
            time.sleep(0.05)


def test_three_kills_lose_double_and_reorder_nothing(town: Town, database: Database) -> None:
    """1,000 updates over 50 chats, three SIGKILLs: all handled, counted once, in order."""
    account = run(town, database, updates=1000, chats=50, kills=3)
    assert account.clean, (SEED, account, town.complaints())
    assert account.reruns <= 3 * 32
    assert len(set(town.telegram.replies)) == 1000


def test_an_update_that_kills_is_set_aside_after_three_deaths(
    town: Town, database: Database
) -> None:
    """A handler that takes the process down does so three times; everybody else is served."""
    town.telegram.write(7, 0, "die")
    for number in range(60):
        town.telegram.write(5001 + number % 20, number // 20)
    deaths = 0
    while town.dies(town.start(), database):
        deaths += 1
    town.drain(database)
    assert deaths == KILLS
    assert (Failure.get().error, Failure.select().count()) == ("ProcessKilled", 1)
    counters = {user.telegram_id: user.total_messages for user in User.select()}
    sent = {5001 + chat: 3 for chat in range(20)}
    assert balance(sent, town.journal, counters).clean


def test_control_confirming_first_loses_updates(town: Town, database: Database) -> None:
    """The harness sees losses: a bot that tells Telegram before it commits loses some."""
    account = run(town, database, updates=400, chats=20, kills=1, control="confirm-first")
    assert account.lost > 0


def test_control_without_lanes_reorders(town: Town, database: Database) -> None:
    """The harness sees inversions: a bot without lanes does not keep the order of a chat."""
    account = run(town, database, updates=400, chats=5, kills=0, control="no-lanes")
    assert account.inversions > 0
