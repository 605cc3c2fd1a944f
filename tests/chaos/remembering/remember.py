"""Look into the cache at each message, and write down what is handled."""

from __future__ import annotations

from bot import Context, Plugin
from tests.chaos.plugins.record import note

plugin = Plugin(__name__)


@plugin.on("message")
def remember(ctx: Context) -> None:
    """Count on nothing that the cache says, then answer."""
    assert ctx.chat is not None
    ctx.cache.set(f"seen:{ctx.chat.id}", ctx.text, 60)
    note("begin", ctx)
    ctx.cache.get(f"seen:{ctx.chat.id}")
    note("end", ctx)
    count_by_the_cache(ctx)
    ctx.reply(f"got {ctx.text}")


def count_by_the_cache(ctx: Context) -> None:
    """Keep a second count of the chat's messages, in the cache alone: what must not be done."""
    assert ctx.chat is not None
    key = f"count:{ctx.chat.id}"
    ctx.cache.set(key, (ctx.cache.get(key) or 0) + 1, 3600)
