"""The examples are looked at where the library's source was fetched."""

from __future__ import annotations

import pytest


@pytest.fixture
def telebot_source() -> None:
    """Marks a test that reads the source; see tests/conftest.py."""
