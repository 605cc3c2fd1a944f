"""Listen to every kind of update, and look at everything that a handler can see of it."""

from __future__ import annotations

from bot import Context, Plugin
from bot.rules import KINDS, MESSAGES

plugin = Plugin(__name__)

heard: list[str] = []
"""The kinds of what came, in its order."""


@plugin.command("ping")
def ping(ctx: Context) -> str:
    """Answer."""
    return f"pong {ctx.update.update_id}"


def listen(ctx: Context) -> str:
    """Look at all of it."""
    heard.append(ctx.kind)
    seen = (ctx.command, ctx.text, ctx.args, ctx.lang, ctx.user, ctx.message, ctx.data)
    ctx.track("heard", kind=ctx.kind)
    return f"heard {len(repr(seen))}" if ctx.chat else ""


for _kind in KINDS:
    if _kind in MESSAGES:
        plugin.on(_kind, content_types=["text", "photo", "migrate_to_chat_id"], last=True)(listen)
    elif _kind != "callback_query":
        plugin.on(_kind)(listen)
plugin.on("callback_query", data="")(listen)
