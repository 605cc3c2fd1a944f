"""Call the members of a group who want to be called."""

from html import escape

from peewee import BigIntegerField, CharField

from bot import Context, Plugin

plugin = Plugin(__name__)
at_once = plugin.setting("at_once", 5, "How many people one message calls.")
GROUPS = ("group", "supergroup")


class Member(plugin.Model):
    chat_id = BigIntegerField()
    user_id = BigIntegerField()
    name = CharField()

    class Meta:
        indexes = ((("chat_id", "user_id"), True),)


@plugin.command("callme", atomic=True)
def call_me(ctx: Context) -> str:
    """Be called by /all in this group."""
    if ctx.chat is None or ctx.chat.type not in GROUPS:
        return "That is for groups."
    Member.get_or_create(
        chat_id=ctx.chat_id,
        user_id=ctx.sender.telegram_id,
        defaults={"name": ctx.sender.first_name},
    )
    return "You will be called."


@plugin.command("leaveme", atomic=True)
def leave_me(ctx: Context) -> str:
    """Be left in peace by /all."""
    forget(ctx.chat_id, ctx.sender.telegram_id)
    return "You will not be called."


@plugin.on("chat_member", atomic=True)
def gone(ctx: Context) -> None:
    if ctx.event.new_chat_member.status in ("left", "kicked"):
        forget(ctx.chat_id, ctx.event.new_chat_member.user.id)


@plugin.command("all")
def call_all(ctx: Context) -> str | None:
    """Call everybody: /all dinner is ready"""
    here = list(Member.select().where(Member.chat_id == ctx.chat_id).order_by(Member.id))
    if not here:
        return "Nobody wants to be called. Want to? /callme"
    for start in range(0, len(here), at_once()):
        people = here[start : start + at_once()]
        links = [
            f'<a href="tg://user?id={each.user_id}">{escape(each.name)}</a>' for each in people
        ]
        ctx.reply(f"{', '.join(links)}: {escape(ctx.text or 'come here')}", parse_mode="HTML")
    return None


def forget(chat_id: int, user_id: int) -> None:
    Member.delete().where(Member.chat_id == chat_id, Member.user_id == user_id).execute()
