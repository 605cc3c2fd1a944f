"""Let moderators ban people, for a while or for good, and admins give roles."""

from __future__ import annotations

import re
from datetime import timedelta

from bot import Context, Plugin
from models import Role, User

plugin = Plugin(__name__)

UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@plugin.command("ban", role="moderator", atomic=True)
def ban(ctx: Context) -> str:
    """Ban somebody, as in /ban @name 2h spam."""
    person, words = meant(ctx)
    if person is None or (refusal := refuse(ctx, person)):
        return refusal if person else nobody(ctx)
    until = None
    if words and (time := re.fullmatch(r"(\d{1,4})([mhdw])", words[0])):
        until = ctx.now + timedelta(**{UNITS[time[2]]: int(time[1])})
        words = words[1:]
    reason = " ".join(words)[:256]
    ctx.users.ban(person, by=ctx.sender, until=until, reason=reason)
    end = f"{until:%d.%m.%Y %H:%M} UTC" if until else ""
    ctx.track("user_banned", user=person.telegram_id, until=end, reason=reason)
    told = ctx._("You are banned until {end}." if end else "You are banned.", person.language)
    why = ctx._("Reason: {reason}", person.language).format(reason=reason) if reason else ""
    tell(ctx, person, f"{told.format(end=end)}\n{why}".strip())
    said = ctx._("{name} is banned until {end}." if end else "{name} is banned.")
    return said.format(name=person.name, end=end)


@plugin.command("unban", role="moderator", atomic=True)
def unban(ctx: Context) -> str:
    """End a ban, as in /unban @name."""
    person, _ = meant(ctx)
    if person is None or (refusal := refuse(ctx, person)):
        return refusal if person else nobody(ctx)
    if not ctx.users.unban(person):
        return ctx._("{name} is not banned.").format(name=person.name)
    ctx.track("user_unbanned", user=person.telegram_id)
    tell(ctx, person, ctx._("You are not banned any more.", person.language))
    return ctx._("{name} is not banned any more.").format(name=person.name)


@plugin.command("role", role="admin", atomic=True)
def role(ctx: Context) -> str:
    """Give somebody a role, as in /role @name moderator."""
    person, words = meant(ctx)
    if person is None or (refusal := refuse(ctx, person)):
        return refusal if person else nobody(ctx)
    below = [each for each in Role if each < ctx.sender.role]
    if len(words) != 1 or words[0] not in below:
        return ctx._("Name one of the roles: {roles}").format(roles=", ".join(below))
    ctx.users.set_role(person, Role(words[0]))
    ctx.track("role_given", user=person.telegram_id, role=words[0])
    tell(ctx, person, ctx._("Your role is now: {role}", person.language).format(role=words[0]))
    return ctx._("The role of {name} is now: {role}").format(name=person.name, role=words[0])


def meant(ctx: Context) -> tuple[User | None, list[str]]:
    """Who is meant, by the first word or by the message that is replied to, and the other words."""
    words = ctx.args
    if words and words[0].startswith("@"):
        return ctx.users.find_name(words[0][1:]), words[1:]
    if words and re.fullmatch(r"[0-9]{1,15}", words[0]):
        return ctx.users.find(int(words[0])), words[1:]
    reply = getattr(ctx.message, "reply_to_message", None)
    if reply is None or reply.from_user is None or reply.content_type == "forum_topic_created":
        return None, words
    return ctx.users.find(reply.from_user.id), words


def nobody(ctx: Context) -> str:
    """How to say who is meant."""
    return ctx._("I do not know who is meant: reply to their message, or give their id or @name.")


def refuse(ctx: Context, person: User) -> str:
    """Why the sender may not do this to the person; empty when they may."""
    if person.id == ctx.sender.id:
        return ctx._("You cannot do this to yourself.")
    if not ctx.users.may_act_on(ctx.sender, person):
        return ctx._("{name} has a role that is not below yours.").format(name=person.name)
    return ""


def tell(ctx: Context, person: User, text: str) -> None:
    """Write to the person, after all is committed; one who blocked the bot does not hear it."""
    ctx.bot.send_message(person.telegram_id, text)
