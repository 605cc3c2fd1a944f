"""A steady flow of messages through a town: when each was sent and answered, what is left open."""

from __future__ import annotations

import logging
import random
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any, Self

from database import Database
from models import User
from tests.chaos.accountant import Account, balance
from tests.chaos.town import Town
from tests.ports import free_port

log = logging.getLogger(__name__)

SEED = 20260503


class Replies(list[tuple[int, str]]):
    """The replies of a bot, and the moment at which each came first."""

    def __init__(self) -> None:
        super().__init__()
        self.first: dict[tuple[int, str], float] = {}

    def append(self, reply: tuple[int, str]) -> None:
        """Note a reply and the moment."""
        self.first.setdefault(reply, time.monotonic())
        super().append(reply)


class Watched(Town):
    """A town whose replies are timed and whose metrics can be read."""

    def __init__(self, folder: Path, database_url: str, **environ: str) -> None:
        self.metrics_port = free_port()
        super().__init__(folder, database_url, METRICS_PORT=str(self.metrics_port), **environ)
        self.replies = self.telegram.replies = Replies()

    def metric(self, name: str) -> float:
        """A number of the bot's own, summed over its labels."""
        address = f"http://127.0.0.1:{self.metrics_port}/metrics"
        with urllib.request.urlopen(address, timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        named = [line for line in lines if line.startswith((f"{name} ", f"{name}{{"))]
        return sum(float(line.rpartition(" ")[2]) for line in named)

    def wait_for(self, condition: Callable[[], Any], *, seconds: float = 30.0) -> float:
        """Wait until it holds; gives the moment. Raises AssertionError with the bot's log."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, self.complaints()
            time.sleep(0.02)
        return time.monotonic()


class Flow:
    """Writes numbered messages to a town, `rate` a second over `chats` chats, inside a `with`."""

    def __init__(self, town: Watched, *, rate: int = 100, chats: int = 50) -> None:
        self.sent: Counter[int] = Counter()
        self.moments: dict[tuple[int, str], float] = {}
        self._town = town
        self._rate = rate
        self._dice = random.Random(SEED)
        self._chats = range(5001, 5001 + chats)
        self._stop = threading.Event()
        self._writer = threading.Thread(target=self._write, daemon=True)

    def __enter__(self) -> Self:
        self._writer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._writer.join()

    def _write(self) -> None:
        started, count = time.monotonic(), 0
        while not self._stop.is_set():
            while count < (time.monotonic() - started) * self._rate:
                self._send(self._dice.choice(self._chats))
                count += 1
            self._stop.wait(0.005)

    def _send(self, chat: int) -> None:
        number = self.sent[chat]
        self.moments[chat, f"got {number}"] = time.monotonic()
        self.sent[chat] += 1
        self._town.telegram.write(chat, number)

    def account(self) -> Account:
        """The balance after a full drain."""
        counters = {user.telegram_id: user.total_messages for user in User.select()}
        return balance(self.sent, self._town.journal, counters)

    def delays(self, first: int, last: int) -> list[float]:
        """The seconds from each of some messages to its first reply; what has none is left out."""
        answered = self._town.replies.first
        sent = list(islice(self.moments.copy().items(), first, last))
        return [answered[one] - moment for one, moment in sent if one in answered]


def settle(town: Watched, database: Database, flow: Flow) -> Account:
    """Drain, and account for every message; each is answered once."""
    town.drain(database, seconds=120)
    account = flow.account()
    log.info("%s messages: %s", len(flow.moments), account)
    if account.clean:
        assert sorted(town.replies) == sorted(flow.moments), town.complaints()
    return account


def require_clean(account: Account) -> None:
    """See that nothing was lost, doubled or out of order, and nothing ran twice."""
    assert account.clean and not account.reruns, account


def done(database: Database) -> int:
    """How many updates are marked as handled, and committed."""
    return int(
        database.execute_sql("SELECT COUNT(*) FROM inbox WHERE state = 'done'").fetchone()[0]
    )
