"""The bot. What plugins need of it: `from bot import PASS, Context, Plugin`."""

from __future__ import annotations

from bot.context import Context
from bot.plugin import Plugin
from bot.runtime import PASS

__all__ = ["PASS", "Context", "Plugin"]
