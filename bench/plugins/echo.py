"""Say what was said."""

from __future__ import annotations

from bot import Context, Plugin

plugin = Plugin(__name__)


@plugin.on("message")
def echo(ctx: Context) -> str:
    return ctx.text
