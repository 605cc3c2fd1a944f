"""Says again what it is told, and logs an error now and then."""

from __future__ import annotations

import logging

from bot import Context, Plugin

plugin = Plugin(__name__)
log = logging.getLogger(__name__)


@plugin.on("message")
def echo(ctx: Context) -> str:
    """One in twenty is a complaint."""
    assert ctx.message is not None
    if ctx.message.message_id % 20 == 0:
        log.error("something is wrong")
    return ctx.text
