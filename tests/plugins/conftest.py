"""A chat with the built-in plugins."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bot.testing import ChatKit
from database import Database


@pytest.fixture
def kit(database: Database) -> Iterator[ChatKit]:
    """The bot as it is shipped, on each engine."""
    with ChatKit(database=database) as kit:
        yield kit


@pytest.fixture
def kit_with_owner(database: Database) -> Iterator[ChatKit]:
    """The bot as it is shipped; Alice is its owner, and has written to it."""
    with ChatKit(database=database, OWNER_IDS="1001") as kit:
        kit.alice.send("/start")
        yield kit
