"""Keep a diary: rows by Telegram id, a question, an event with words, a value in the cache."""

from __future__ import annotations

from peewee import BigIntegerField, TextField

from bot import Context, Plugin
from models import User

plugin = Plugin(__name__)


class Page(plugin.Model):
    user_id = BigIntegerField(index=True)
    text = TextField()


@plugin.command("diary")
def diary(ctx: Context) -> str:
    """Write into the diary."""
    Page.create(user_id=ctx.sender.telegram_id, text=ctx.text)
    ctx.track("diary_page", text=ctx.text)
    ctx.cache.set(f"diary:{ctx.sender.telegram_id}", ctx.text, 3600)
    ctx.cache.set("diary:newest", {"by": ctx.sender.name}, 3600)
    ctx.cache.set("diary:motto", "nulla dies sine linea", 3600)
    return "Written."


@plugin.command("ask")
def ask(ctx: Context) -> None:
    """Put a question."""
    ctx.ask("What do you dream of?", then=answer, data={"said": ctx.text})


@plugin.step
def answer(ctx: Context) -> str:
    """Take the answer."""
    return f"You said {ctx.state['said']}."


@plugin.command("boom")
def boom(ctx: Context) -> None:
    """Fail with the person's words."""
    raise ValueError(ctx.text)


@plugin.command("praise")
def praise(ctx: Context) -> str:
    """Say something about somebody else."""
    ctx.track("praise", whom=int(ctx.args[0]), words=f"well done, {ctx.args[0]}", stars=5)
    return "Praised."


@plugin.export_user
def export(user: User) -> list[str]:
    """The pages."""
    return [page.text for page in Page.select().where(Page.user_id == user.telegram_id)]


@plugin.delete_user
def delete(user: User) -> int:
    """Tear them out."""
    return int(Page.delete().where(Page.user_id == user.telegram_id).execute())
