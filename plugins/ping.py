"""Tell whether the bot is alive."""

from bot import Context, Plugin

plugin = Plugin(__name__)


@plugin.command("ping")
def ping(ctx: Context) -> str:
    """Check that the bot is alive."""
    return "pong"
