"""Count what happens in a channel, and greet those who join."""

from __future__ import annotations

from bot import PASS, Context, Plugin

plugin = Plugin(__name__)
greeting = plugin.setting(
    "greeting", "", "What those who ask to join read, with {name} and {title}; empty: nothing."
)
approve = plugin.setting("approve", False, "Whether those who ask to join are let in at once.")

CONTENT = ["text", "photo", "video", "document", "animation", "audio", "voice", "poll"]
OUTSIDE = ("left", "kicked")


@plugin.on("channel_post", content_types=CONTENT)
def post(ctx: Context) -> object:
    """Count a post."""
    ctx.track("channel_post", channel=ctx.chat_id)
    return PASS


def moves(event: object) -> bool:
    """Whether somebody came to the channel, or went."""
    chat, old, new = (
        getattr(event, name) for name in ("chat", "old_chat_member", "new_chat_member")
    )
    return chat.type == "channel" and (old.status in OUTSIDE) != (new.status in OUTSIDE)


@plugin.on("chat_member", func=moves)
def member(ctx: Context) -> object:
    """Count somebody who joined or left."""
    joined = ctx.event.new_chat_member.status not in OUTSIDE
    ctx.track("channel_joined" if joined else "channel_left", channel=ctx.chat_id)
    return PASS


@plugin.on("chat_join_request", func=lambda event: event.chat.type == "channel")
def ask(ctx: Context) -> object:
    """Greet somebody who wants to join, and let them in if the setting says so."""
    ctx.track("channel_asked", channel=ctx.chat_id)
    if approve():
        ctx.bot.approve_chat_join_request(ctx.chat_id, ctx.sender.telegram_id)
    if text := greeting():
        ctx.reply(text.replace("{name}", ctx.sender.name).replace("{title}", ctx.event.chat.title))
    return PASS
