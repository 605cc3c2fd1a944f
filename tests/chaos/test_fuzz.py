"""The fuzz: whatever an update is, it ends, is kept or told, and the next one is answered."""

from __future__ import annotations

import json
import logging
import os
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.rules import KINDS
from bot.testing import ChatKit
from database import Database
from models import Inbox as Row
from tests.chaos import shapes
from tests.chaos.post import Post, message

LISTENER = [Path(__file__).parent / "listener"]
SEED = 20260501
BATCH = 99
BATCHES = int(os.environ.get("CHAOS_BATCHES", "100"))
"""How many getUpdates of odd updates the long form tries on each engine."""
SOME = 6
"""As many in the short form."""


@pytest.fixture
def kit(database: Database) -> Iterator[ChatKit]:
    """A bot that listens to everything, on each engine; it need not say what it refuses."""
    logging.disable(logging.CRITICAL)
    with ChatKit(LISTENER, database=database, telegram=Post(), BOT_THREADS="64") as kit:
        yield kit
    logging.disable(logging.NOTSET)


@pytest.fixture
def post(kit: ChatKit) -> Post:
    """The Telegram of the kit."""
    assert isinstance(kit.telegram, Post)
    return kit.telegram


def heard() -> list[str]:
    """The kinds that the handlers saw."""
    kinds: list[str] = sys.modules["steadygram_plugins.listener"].heard
    return kinds


def drain(kit: ChatKit) -> None:
    """Fetch and handle what waits, with commits of many at once; nothing may be raised."""
    (seat,) = kit.core.seats
    while seat.poller.step(0):
        seat.lease.step()
        begun = 1
        while kit.core.crew.step():
            if begun % 50 == 0:
                kit.core.ledger.flush()
            begun += 1
        kit.core.ledger.flush()


def states() -> dict[int, str]:
    """The state of every update."""
    return {row.update_id: row.state for row in Row.select(Row.update_id, Row.state)}


def test_a_valid_update_of_each_kind_is_handled(kit: ChatKit, post: Post) -> None:
    """The table of shapes is right: every kind there is reaches its handler."""
    assert set(shapes.VALID) == set(KINDS)
    heard().clear()
    sent = {post.queue(shapes.valid(kind))["update_id"]: kind for kind in KINDS}
    drain(kit)
    assert Counter(heard()) == Counter(KINDS)
    assert not {sent[number] for number, state in states().items() if state != "done"}


def fuzz(kit: ChatKit, post: Post, batches: int) -> None:
    """Deliver so many batches of odd updates, with an ordinary one behind each."""
    dice = random.Random(SEED)
    for _ in range(batches):
        for _ in range(BATCH):
            post.queue(shapes.odd(dice))
        ping = post.queue(message(9, "/ping"))["update_id"]
        drain(kit)
        assert ("9", f"pong {ping}") in post.sent
        assert post.waiting() == 0
    ends = list(states().values())
    assert len(ends) == batches * (BATCH + 1)
    assert set(ends) == {"done", "failed", "unknown"}


def test_odd_updates_end_and_stop_nothing(kit: ChatKit, post: Post) -> None:
    """Each ends as done, failed or unknown, is acknowledged, and a /ping after it is answered."""
    fuzz(kit, post, SOME)


@pytest.mark.long
def test_many_odd_updates_end_and_stop_nothing(kit: ChatKit, post: Post) -> None:
    """The same, with many more."""
    fuzz(kit, post, BATCHES)


class Unbounded(BaseException):
    """What goes through every boundary."""


def let_out(real: Callable[..., Any]) -> Callable[..., Any]:
    """The same, but what it raises is stopped nowhere."""

    def read(*arguments: Any) -> Any:
        try:
            return real(*arguments)
        except Exception as error:
            raise Unbounded from error

    return read


def trust(real: Callable[..., Any]) -> Callable[..., Any]:
    """The same, but it takes for granted that an update has a sender."""

    def read(update: Any, kind: str) -> Any:
        assert update[kind]["from"]["id"] > 0
        return real(update, kind)

    return read


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("place", "broken", "told"), [("turns.read", let_out, True), ("inbox.sender_of", trust, False)]
)
def test_control_without_a_boundary_an_update_stops_the_rest(
    kit: ChatKit,
    post: Post,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
    broken: Callable[[Callable[..., Any]], Callable[..., Any]],
    told: bool,
) -> None:
    """The fuzz sees a reader whose errors nobody stops, and a poller that trusts what it reads."""
    module, _, name = place.partition(".")
    real = getattr(sys.modules[f"bot.{module}"], name)
    monkeypatch.setattr(f"bot.{place}", broken(real))
    with pytest.raises((Unbounded, AssertionError, LookupError, TypeError)):
        fuzz(kit, post, SOME)
    assert ("new" in states().values()) == told and bool(post.waiting())


def test_unknown_kinds_are_kept_and_acknowledged(kit: ChatKit, post: Post) -> None:
    """What the bot has no name for stays in the inbox as it came, and Telegram is told."""
    sent = [post.queue({name: {"odd": "\0\ud800"}}) for name in shapes.UNKNOWN]
    drain(kit)
    rows = list(Row.select().order_by(Row.update_id))
    assert {row.state for row in rows} == {"unknown"}
    assert [json.loads(row.payload or "") for row in rows] == sent
    assert post.waiting() == 0
