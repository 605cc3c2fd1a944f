"""The smallest plugin."""

from __future__ import annotations

from bot.testing import ChatKit


def test_it_answers(kit: ChatKit) -> None:
    """Everybody, and has its help in both languages."""
    assert kit.bob.send("/ping") == ["pong"]
    kit.vera.send("/help")
    assert "/ping - Проверить, что бот жив." in kit.vera.last
