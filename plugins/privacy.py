"""Give people what is held on them, and erase it when they ask."""

from __future__ import annotations

import json
from io import BytesIO

from bot import Context, Plugin

plugin = Plugin(__name__)


@plugin.command("mydata")
def mydata(ctx: Context) -> str | None:
    """Get all that I hold on you, as a file."""
    if not alone(ctx):
        return ctx._("That is between you and me: send me the command in our own chat.")
    text = json.dumps(ctx.export(), ensure_ascii=False, indent=2)
    caption = ctx._("This is all that I hold on you.")
    file = BytesIO(text.encode())
    ctx.bot.send_document(ctx.chat_id, file, caption=caption, visible_file_name="mydata.json")
    return None


@plugin.command("deleteme")
def deleteme(ctx: Context) -> str | None:
    """Erase all that I hold on you."""
    if not alone(ctx):
        return ctx._("That is between you and me: send me the command in our own chat.")
    question = ctx._(
        "Shall I erase all that I hold on you? It cannot be undone. /mydata gives it to you first."
    )
    buttons = [[(ctx._("Yes, erase it"), "erase"), (ctx._("No, keep it"), "keep")]]
    ctx.reply(question, buttons=buttons)
    return None


@plugin.on("callback_query", data="keep")
def keep(ctx: Context) -> None:
    """Leave everything as it is."""
    ctx.edit(ctx._("Nothing was erased."))


@plugin.on("callback_query", data="erase", atomic=True)
def erase(ctx: Context) -> None:
    """Erase the person, and say what that was."""
    if not alone(ctx):
        return
    receipt = ctx.erase()
    parts = {**receipt.tables, **receipt.plugins}
    lines = [
        ctx._("Erased. I do not know you any more."),
        ctx.ngettext("{count} entry in all:", "{count} entries in all:", receipt.rows).format(
            count=receipt.rows
        ),
        *(f"{name}: {count}" for name, count in parts.items() if count),
    ]
    if receipt.failed:
        failed = ", ".join(receipt.failed)
        lines.append(ctx._("Not erased, please tell the owners: {names}").format(names=failed))
    lines += ["", ctx._("The messages of this chat are yours: delete the chat to be rid of them.")]
    ctx.edit("\n".join(lines))


def alone(ctx: Context) -> bool:
    """Whether nobody else reads along."""
    return ctx.chat is not None and ctx.chat.type == "private"
