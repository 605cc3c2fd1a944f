"""Carry what people have to say to the owners, and the answers back."""

from __future__ import annotations

from typing import Any

from peewee import BigIntegerField, IntegerField

from bot import Context, Plugin
from models import User

plugin = Plugin(__name__)
chat = plugin.setting("chat", 0, "The id of the chat that feedback goes to; 0: to each owner.")


class Letter(plugin.Model):
    """A message to the owners, by its place in their chat, and whom an answer goes to."""

    chat_id = BigIntegerField(index=True)
    message_id = IntegerField()
    user_id = BigIntegerField()


@plugin.command("feedback")
def feedback(ctx: Context) -> str | None:
    """Write to the people behind this bot."""
    if ctx.text:
        return send(ctx)
    ctx.ask(
        ctx._("What do you want to say? Text, a picture or a file. /cancel: nothing."), then=take
    )
    return None


@plugin.step
def take(ctx: Context) -> str:
    """Take what they want to say."""
    return send(ctx)


@plugin.export_user
def export(user: User) -> list[dict[str, int]]:
    """Where their letters lie in the owners' chats."""
    rows = Letter.select(Letter.chat_id, Letter.message_id)
    return list(rows.where(Letter.user_id == user.telegram_id).dicts())


@plugin.delete_user
def erase(user: User) -> int:
    """Forget whose the letters are: an answer reaches them no more."""
    return int(Letter.delete().where(Letter.user_id == user.telegram_id).execute())


def send(ctx: Context) -> str:
    """Pass a message on, with a line above it that says whose it is."""
    from telebot.apihelper import ApiTelegramException

    ctx.keep_for_team()
    user, told = ctx.sender, 0
    head = f"✉️ {user.name} (@{user.username})" if user.username else f"✉️ {user.name}"
    places = [chat()] if chat() else sorted(ctx.runtime.owner_ids)
    for place in places:
        try:
            sent: list[Any] = [ctx.bot.send_message(place, f"{head}\n{ctx.text}"[:4000])]
            if ctx.message and ctx.message.content_type != "text":
                sent.append(ctx.bot.copy_message(place, ctx.chat_id, ctx.message.message_id))
        except ApiTelegramException as error:  # one owner who is away is not the others' matter
            ctx.log.warning("feedback did not reach %s: %s", place, error)
            continue
        for message in sent:
            Letter.create(chat_id=place, message_id=message.message_id, user_id=user.telegram_id)
        told += 1
    if told or not places:  # it is in the panel in any case
        return ctx._("Thank you, it is on its way. The answer will come here.")
    return ctx._("I could not reach anybody. Please try again later.")


def letter(message: Any) -> Letter | None:
    """The letter that a message replies to."""
    if (to := message.reply_to_message) is None:
        return None
    here = Letter.chat_id == message.chat.id
    found: Letter | None = Letter.get_or_none(here, Letter.message_id == to.message_id)
    return found


@plugin.on("message", content_types=["text", "photo", "document", "voice"], func=letter)
def answer(ctx: Context) -> str:
    """Carry a reply back to the person; /feedback goes on from there."""
    from telebot.apihelper import ApiTelegramException

    found = letter(ctx.event)
    try:
        ctx.bot.copy_message(found.user_id if found else 0, ctx.chat_id, ctx.event.message_id)
    except ApiTelegramException as error:
        ctx.log.warning("an answer did not arrive: %s", error)
        return ctx._("It could not be delivered: the person may have blocked the bot.")
    return ctx._("Delivered.")
