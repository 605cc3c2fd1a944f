"""Answer in every way that a plugin has, each letter under its number."""

from __future__ import annotations

from bot import Context, Plugin

plugin = Plugin(__name__)

WAYS = ("text", "reply", "several", "atomic")


def letters(way: str, number: str) -> list[str]:
    """What the bot sends for one message, in its order."""
    if way in ("several", "atomic"):
        return [f"{number}{part}" for part in "abc"]
    return [number]


@plugin.command("text")
def text(ctx: Context) -> str:
    """Answer by the returned text."""
    return ctx.text


@plugin.command("reply")
def reply(ctx: Context) -> None:
    """Answer by a call."""
    ctx.reply(ctx.text)


@plugin.command("several")
def several(ctx: Context) -> str:
    """Answer by several calls, and by the returned text."""
    *first, last = letters("several", ctx.text)
    for letter in first:
        ctx.reply(letter)
    return last


@plugin.command("atomic", atomic=True)
def atomic(ctx: Context) -> str:
    """Answer after the commit."""
    return several(ctx)
