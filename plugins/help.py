"""Tell what the bot can do."""

from __future__ import annotations

from bot import Context, Plugin

plugin = Plugin(__name__)


@plugin.command("help")
def show(ctx: Context) -> str:
    """See what I can do.

    /help help → /help - See what I can do. …
    """
    if ctx.args:
        return explain(ctx, ctx.args[0].removeprefix("/"))
    lines = [f"/{command.name} - {ctx._(command.help)}" for command in ctx.commands]
    return "\n".join([ctx._("This is what I can do:"), "", *lines])


def explain(ctx: Context, name: str) -> str:
    """One command with its other names and its examples."""
    for command in ctx.commands:
        if name in (command.name, *command.aliases):
            names = " ".join(f"/{each}" for each in (command.name, *command.aliases))
            shown = [f"{said} → {ctx._(answer)}" for said, answer in command.examples]
            return "\n".join([f"{names} - {ctx._(command.help)}", *shown])
    return ctx._("I do not know /{command}. See what I can do: /help").format(command=name)
