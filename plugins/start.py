"""Welcome people, and remember who or what brought them."""

from __future__ import annotations

import re

from bot import Context, Plugin

plugin = Plugin(__name__)


@plugin.command("start")
def start(ctx: Context) -> str:
    """Begin here."""
    if payload := ctx.text.strip():
        remember(ctx, payload)
    hello = ctx._("Hello, {name}! I am here to help. Send /help to see what I can do.")
    return hello.format(name=ctx.sender.first_name)


def remember(ctx: Context, payload: str) -> None:
    """A link that ends in ?start=ref_<id> names a person, any other the place it was found."""
    person = re.fullmatch(r"ref_(\d{1,15})", payload)
    if person is None:
        ctx.users.set_source(ctx.sender, payload)
    elif ctx.users.refer(ctx.sender, int(person[1])):
        ctx.track("user_referred", by=int(person[1]))
