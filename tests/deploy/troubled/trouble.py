"""Fails when it is told to, so that there is something to see."""

from __future__ import annotations

from bot import Context, Plugin

plugin = Plugin(__name__)


@plugin.command("crash")
def crash(ctx: Context) -> None:
    """Raise."""
    raise RuntimeError("as you wished")
