"""Let people choose the language that the bot speaks with them."""

from __future__ import annotations

from bot import Context, Plugin

plugin = Plugin(__name__)

NAMES = {"en": "English", "ru": "Русский"}


@plugin.command("language", "lang")
def language(ctx: Context) -> None:
    """Choose the language I speak."""
    buttons = [[(name, code) for code, name in NAMES.items()]]
    ctx.reply(ctx._("Which language shall I speak?"), buttons=buttons)


@plugin.on("callback_query")
def choose(ctx: Context) -> None:
    """Speak the language whose button was tapped."""
    if ctx.data in NAMES:
        ctx.speak(ctx.data)
        ctx.edit(ctx._("I speak English now."))
