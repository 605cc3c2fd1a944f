"""Handlers that do what the tests of the path need: fail, ask, write, ask for rights."""

from __future__ import annotations

from collections.abc import Callable

from peewee import BigIntegerField

from bot import Context, Plugin

plugin = Plugin(__name__)

outside: list[Callable[[], None]] = []
"""What a test lets happen in the middle of an atomic handler."""


class Mark(plugin.Model):
    """A row that a handler wrote."""

    chat_id = BigIntegerField()


@plugin.command("ping", "p")
def ping(ctx: Context) -> str:
    """Check that the bot is alive."""
    return "pong"


@plugin.command("boom")
def boom(ctx: Context) -> None:
    """Fail."""
    ctx.track("never")
    raise ValueError("boom")


@plugin.command("leave")
def leave(ctx: Context) -> None:
    """End the program."""
    raise SystemExit(3)


@plugin.command("secret", role="admin")
def secret(ctx: Context) -> str:
    """Tell the secret."""
    return "42"


@plugin.command("ask")
def ask(ctx: Context) -> None:
    """Ask for a name."""
    ctx.ask("Your name?", then=named, data={"greeting": "Hello"}, timeout=60)


@plugin.step
def named(ctx: Context) -> str:
    """Take the name, or ask again."""
    if ctx.text == "fail":
        raise ValueError("in a step")
    if ctx.text == "again":
        ctx.ask("And now?", then=named, data=ctx.state)
        return ""
    return f"{ctx.state['greeting']}, {ctx.text}"


@plugin.command("mark", atomic=True)
def mark(ctx: Context) -> str:
    """Write a row, and say so after the commit."""
    assert ctx.chat is not None
    Mark.create(chat_id=ctx.chat.id)
    ctx.reply("first", buttons=[[("Go", "go"), ("Stay", "stay")]])
    for happen in outside:
        happen()
    ctx.track("marked")
    return f"rows: {Mark.select().count()}"


@plugin.on("callback_query", data="go", atomic=True)
def go(ctx: Context) -> None:
    """Take a tap and say nothing."""


@plugin.on("callback_query", data="stay")
def stay(ctx: Context) -> None:
    """Take a tap, with a toast."""
    ctx.answer("staying")


@plugin.on("edited_message")
def edited(ctx: Context) -> str:
    """Take an edit."""
    return f"edited: {ctx.text}"


@plugin.on("message", func=lambda message: message.text == "odd" and 1 / 0)
def odd(ctx: Context) -> None:
    """Never run: its filter fails."""


@plugin.on("message", last=True)
def rest(ctx: Context) -> str:
    """Take what no other handler took."""
    assert ctx.message is not None
    return f"? {ctx.message.text}"
