"""Write down what is handled, and do what the message says: what the model looks at."""

from __future__ import annotations

from bot import Context, Plugin
from bot.lease import Fenced
from models import AnalyticsEvent

plugin = Plugin(__name__)

pages: list[int] = []
"""The ids of the updates whose handlers began, in their order."""
mended: list[bool] = []
"""Not empty while what fails is mended."""
deadly: list[bool] = []
"""Not empty when the next handler is to be the process's last."""


class Killed(Fenced):
    """The end of the process, as near as an exception comes: nothing is written after it."""


def begin(ctx: Context) -> None:
    """Write the update down, and die of it when that is due."""
    pages.append(ctx.update.update_id)
    if deadly:
        deadly.clear()
        raise Killed


@plugin.command("note", atomic=True)
def note(ctx: Context) -> str:
    """Write a row in the transaction of the done mark, and answer after it."""
    AnalyticsEvent.create(event_type="written", data={"update": ctx.update.update_id})
    begin(ctx)
    return f"noted {ctx.update.update_id}"


@plugin.command("fail")
def fail(ctx: Context) -> str:
    """Raise, until it is mended."""
    begin(ctx)
    if not mended:
        raise ValueError("not mended")
    return f"mended {ctx.update.update_id}"


@plugin.on("message")
def plain(ctx: Context) -> str:
    """Answer."""
    begin(ctx)
    return f"got {ctx.update.update_id}"
