"""Look after groups: a welcome, the rules, and peace from those who flood."""

from __future__ import annotations

from collections import deque
from typing import Any

from peewee import BigIntegerField, TextField

from bot import Context, Plugin

plugin = Plugin(__name__)
welcome = plugin.setting(
    "welcome", "", "What new members read, with {name} and {title}; empty: nothing."
)
messages = plugin.setting("flood_messages", 0, "How many messages of one are a flood; 0: none.")
seconds = plugin.setting("flood_seconds", 10, "In how many seconds.")
mute = plugin.setting("mute_minutes", 10, "Minutes that one who goes on is muted for.")

GROUPS = ["group", "supergroup"]
CHIEFS = ("creator", "administrator")
recent: dict[tuple[int, int], deque[int]] = {}
warned: dict[tuple[int, int], int] = {}


class Rules(plugin.Model):
    """The rules of a group."""

    chat_id = BigIntegerField(primary_key=True)
    text = TextField()


@plugin.command("rules")
def rules(ctx: Context) -> str:
    """Read the rules of this group."""
    found = Rules.get_or_none(Rules.chat_id == ctx.chat_id)
    return found.text if found else ctx._("There are no rules here.")


@plugin.command("setrules")
def set_rules(ctx: Context) -> str:
    """Set the rules of this group, for its admins."""
    if ctx.event.chat.type not in GROUPS:
        return ctx._("Rules are for groups.")
    if ctx.bot.get_chat_member(ctx.chat_id, ctx.sender.telegram_id).status not in CHIEFS:
        return ctx._("Only the admins of this group may do that.")
    if not ctx.text:
        Rules.delete().where(Rules.chat_id == ctx.chat_id).execute()
        return ctx._("There are no rules here any more.")
    Rules.insert(chat_id=ctx.chat_id, text=ctx.text).on_conflict(
        conflict_target=[Rules.chat_id], preserve=[Rules.text]
    ).execute()
    return ctx._("These are the rules from now on. Read them: /rules")


@plugin.on("message", content_types=["new_chat_members"], chat_types=GROUPS)
def greet(ctx: Context) -> None:
    """Welcome those who came."""
    for person in ctx.event.new_chat_members:
        if welcome() and not person.is_bot:
            text = welcome().replace("{name}", person.first_name)
            ctx.reply(text.replace("{title}", ctx.event.chat.title or ""))


def floods(message: Any) -> bool:
    """Whether somebody has written too much in too short a time, by Telegram's clock."""
    if not messages() or message.chat.type not in GROUPS or message.from_user is None:
        return False
    if len(recent) > 10_000:
        recent.clear()
        warned.clear()
    dates = recent.setdefault((message.chat.id, message.from_user.id), deque())
    dates.append(message.date)
    while dates and dates[0] <= message.date - seconds():
        dates.popleft()
    return len(dates) > messages()


@plugin.on("message", content_types=["text", "photo", "sticker", "video"], func=floods)
def calm(ctx: Context) -> str | None:
    """Warn somebody who floods; mute them when they go on, where the bot may."""
    from telebot.apihelper import ApiTelegramException

    who = (ctx.chat_id, ctx.sender.telegram_id)
    recent.pop(who, None)
    if ctx.event.date - warned.get(who, 0) > 60 * mute():
        warned[who] = ctx.event.date
        return ctx._("{name}, please write less.").format(name=ctx.sender.name)
    try:
        ctx.bot.restrict_chat_member(
            *who, until_date=ctx.event.date + 60 * mute(), can_send_messages=False
        )
    except ApiTelegramException as error:  # an admin, or the bot is none
        ctx.log.info("%s could not be muted: %s", who, error)
        return None
    return ctx._("{name} is muted for a while.").format(name=ctx.sender.name)
