"""Keep the albums that people send, and show them again."""

from peewee import BigIntegerField, CharField
from telebot.types import InputMediaPhoto, InputMediaVideo

from bot import Context, Plugin

plugin = Plugin(__name__)

MEDIA = {"photo": InputMediaPhoto, "video": InputMediaVideo}


class Part(plugin.Model):
    chat_id = BigIntegerField(index=True)
    album = CharField(index=True)
    kind = CharField()
    file_id = CharField()


@plugin.on("message", content_types=[*MEDIA], func=lambda message: message.media_group_id)
def keep(ctx: Context) -> None:
    kind, album = ctx.event.content_type, ctx.event.media_group_id
    file = ctx.event.photo[-1] if kind == "photo" else ctx.event.video
    first = not parts(ctx, album)
    Part.create(chat_id=ctx.chat_id, album=album, kind=kind, file_id=file.file_id)
    if first:
        ctx.reply("An album! Find it again: /albums")


@plugin.command("albums")
def albums(ctx: Context) -> str | None:
    """See your albums."""
    names = [part.album for part in parts(ctx)]
    buttons = [
        [(f"Album {number}: {names.count(name)}", f"show:{name}")]
        for number, name in enumerate(dict.fromkeys(names), start=1)
    ]
    if not buttons:
        return "There are none. Send me some pictures at once."
    ctx.reply("Your albums:", buttons=buttons[-20:])
    return None


@plugin.on("callback_query", data="show:")
def show(ctx: Context) -> None:
    media = [MEDIA[part.kind](part.file_id) for part in parts(ctx, ctx.text)]
    if media:
        ctx.bot.send_media_group(ctx.chat_id, media)


def parts(ctx: Context, album: str | None = None) -> list[Part]:
    found = Part.select().where(Part.chat_id == ctx.chat_id).order_by(Part.id)
    return list(found.where(Part.album == album) if album else found)
