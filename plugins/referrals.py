"""Let people invite others, and show them how many came."""

from __future__ import annotations

from bot import Context, Plugin

plugin = Plugin(__name__)


@plugin.command("referrals", "invite")
def referrals(ctx: Context) -> str:
    """Invite friends with a link of your own."""
    came, stayed = ctx.users.referrals(ctx.sender)
    lines = [
        ctx._("Share this link, it is yours:"),
        ctx.link(f"ref_{ctx.sender.telegram_id}"),
        "",
        ctx.ngettext("{count} person came by it.", "{count} people came by it.", came),
        ctx.ngettext("{stayed} of them stayed.", "{stayed} of them stayed.", stayed),
    ]
    return "\n".join(lines).format(count=came, stayed=stayed)
