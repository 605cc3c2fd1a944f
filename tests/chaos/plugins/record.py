"""Write down every numbered message that is handled: what the accountant reads."""

from __future__ import annotations

import ctypes
import os
import random
import secrets
import time

from bot import Context, Plugin
from tests.chaos import crash

plugin = Plugin(__name__)

LIFE = f"{os.getpid()}.{secrets.token_hex(3)}"
"""A process that begins anew keeps its pid."""
SECONDS = float(os.environ.get("CHAOS_SECONDS", "0.01"))
"""How long a handler takes at most."""


@plugin.on("message")
def record(ctx: Context) -> str | None:
    """Note process, chat and number once begun and once ended; answer in both ways there are."""
    if ctx.text == "die":
        ctypes.string_at(0)
    note("begin", ctx)
    crash.at("in-handler")
    time.sleep(random.uniform(0.0, SECONDS))
    note("end", ctx)
    if ctx.text.endswith(tuple("02468")):
        return f"got {ctx.text}"
    ctx.reply(f"got {ctx.text}")
    return None


def note(what: str, ctx: Context) -> None:
    """Append one line in one write, so that a kill leaves whole lines."""
    assert ctx.chat is not None
    line = f"{what} {LIFE} {ctx.chat.id} {ctx.text}\n"
    journal = os.open(os.environ["CHAOS_JOURNAL"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(journal, line.encode())
    os.close(journal)
