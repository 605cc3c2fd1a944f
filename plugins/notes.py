"""Keep short notes for a chat: a table, a setting, a question and buttons."""

from __future__ import annotations

from textwrap import shorten

from peewee import AutoField, BigIntegerField, TextField

from bot import Context, Plugin
from models import User

plugin = Plugin(__name__)
limit = plugin.setting("limit", 20, "How many notes one chat may keep.")


class Note(plugin.Model):
    """A note of a chat; its table is notes_note."""

    id = AutoField()
    chat_id = BigIntegerField(index=True)
    text = TextField()


@plugin.command("note", "n", atomic=True)
def note(ctx: Context) -> str | None:
    """Keep a note.

    /note Buy milk → Noted. See them all: /notes
    """
    if ctx.text:
        return keep(ctx)
    ctx.ask(ctx._("What shall I note? Send /cancel to leave it."), then=save)
    return None


@plugin.step(atomic=True)
def save(ctx: Context) -> str | None:
    """Take the answer to the question."""
    if ctx.text:
        return keep(ctx)
    ctx.ask(ctx._("I can only keep text. What shall I note?"), then=save)
    return None


@plugin.command("notes")
def notes(ctx: Context) -> None:
    """Read and delete the notes of this chat."""
    text, buttons = page(ctx)
    ctx.reply(text, buttons=buttons)


@plugin.on("callback_query", data="delete:", atomic=True)
def delete(ctx: Context) -> None:
    """Delete the note whose button was tapped, and show the rest."""
    for one in kept(ctx):
        if str(one.id) == ctx.text:
            one.delete_instance()
    text, buttons = page(ctx)
    ctx.edit(text, buttons=buttons)
    ctx.answer(ctx._("Deleted."))


@plugin.export_user
def export(user: User) -> list[str]:
    """The notes of the person's own chat; those of a group are the group's."""
    return [one.text for one in Note.select().where(Note.chat_id == user.telegram_id)]


@plugin.delete_user
def erase(user: User) -> int:
    """Delete them."""
    return int(Note.delete().where(Note.chat_id == user.telegram_id).execute())


def keep(ctx: Context) -> str:
    """Write a note down, if there is room."""
    if len(kept(ctx)) >= limit():
        return ctx._("There is no room for another note. Delete one first: /notes")
    Note.create(chat_id=ctx.chat_id, text=ctx.text)
    return ctx._("Noted. See them all: /notes")


def kept(ctx: Context) -> list[Note]:
    """The notes of the chat, oldest first."""
    return list(Note.select().where(Note.chat_id == ctx.chat_id).order_by(Note.id))


def page(ctx: Context) -> tuple[str, list[list[tuple[str, str]]]]:
    """The newest notes, numbered, with a button under them for each."""
    newest = list(enumerate(kept(ctx), start=1))[-20:]
    if not newest:
        return ctx._("There are no notes here. Keep one: /note"), []
    lines = [f"{number}. {shorten(one.text, 150)}" for number, one in newest]
    delete = ctx._("Delete {number}")
    buttons = [[(delete.format(number=number), f"delete:{one.id}")] for number, one in newest]
    return "\n".join(lines), buttons
