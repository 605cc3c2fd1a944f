"""Tell what the bot can do."""

from __future__ import annotations

from bot import Context, Plugin

plugin = Plugin(__name__)


@plugin.command("help")
def show(ctx: Context) -> str:
    """See what I can do."""
    lines = [f"/{command.name} - {ctx._(command.help)}" for command in ctx.commands]
    return "\n".join([ctx._("This is what I can do:"), "", *lines])
