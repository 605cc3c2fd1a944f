"""Answer what no other plugin took, in private chats only."""

from __future__ import annotations

from bot import Context, Plugin

plugin = Plugin(__name__)


@plugin.on("message", chat_types=["private"], last=True)
def unknown(ctx: Context) -> str:
    """Say what to do instead."""
    if ctx.command:
        return ctx._("I do not know /{command}. See what I can do: /help").format(
            command=ctx.command
        )
    return ctx._("I did not understand that. See what I can do: /help")
