"""Fail on every update while a file is there; numbers are left to others."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from bot import Context, Plugin

plugin = Plugin(__name__)


def is_word(event: Any) -> bool:
    return not (event.text or "").isdecimal()


@plugin.on("message", func=is_word)
def fickle(ctx: Context) -> str:
    """Fail, or answer."""
    if Path(os.environ["CHAOS_BROKEN"]).exists():
        raise ValueError("fickle")
    return f"fine {ctx.text}"
