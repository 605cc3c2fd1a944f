"""The bot. Plugins need two names of it: `from bot import Context, Plugin`."""

from __future__ import annotations

from bot.context import Context
from bot.plugin import Plugin

__all__ = ["Context", "Plugin"]
