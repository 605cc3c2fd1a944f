"""Say back what is said in a private chat, and send back what is sent."""

from bot import Context, Plugin

plugin = Plugin(__name__)

SENT = ["photo", "document", "voice", "video", "sticker", "location"]


@plugin.on("message", chat_types=["private"], last=True)
def echo(ctx: Context) -> str:
    return ctx.text


@plugin.on("message", content_types=SENT, chat_types=["private"], last=True)
def copy(ctx: Context) -> None:
    ctx.bot.copy_message(ctx.chat_id, ctx.chat_id, ctx.event.message_id)
