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
