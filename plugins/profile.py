"""Show people what the bot knows about them."""

from __future__ import annotations

from bot import Context, Plugin

plugin = Plugin(__name__)


@plugin.command("profile", "me")
def profile(ctx: Context) -> str:
    """See what I know about you."""
    user = ctx.sender
    numbers = ctx.cache.remember(f"profile:{user.id}", lambda: count(ctx), seconds=300)
    lines = [
        ctx._("Name: {name}").format(name=user.name),
        ctx._("Telegram id: {id}").format(id=user.telegram_id),
        ctx._("Language: {language}").format(language=user.language.value),
        ctx._("Role: {role}").format(role=user.role.value),
        ctx._("Here since: {date}").format(date=f"{user.created_at:%d.%m.%Y}"),
        "",
        ctx._("Messages: {count}").format(count=numbers["messages"]),
        ctx._("Commands: {count}").format(count=numbers["commands"]),
        ctx._("Friends invited: {count}").format(count=numbers["referrals"]),
    ]
    return "\n".join(lines)


def count(ctx: Context) -> dict[str, int]:
    """The numbers that cost a look at the statistics; five minutes old ones will do."""
    mine = ctx.analytics.statistics(ctx.sender)
    return {"messages": mine.messages, "commands": mine.commands, "referrals": mine.referrals}
