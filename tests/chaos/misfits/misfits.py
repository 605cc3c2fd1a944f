"""Handlers that do what no handler should, each by a word; numbers are written down."""

from __future__ import annotations

import ctypes
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bot import Context, Plugin

plugin = Plugin(__name__)

GIB = 1 << 30


@plugin.on("message")
def live(ctx: Context) -> None:
    """Write a number down, once begun and once ended, or misbehave; then answer."""
    word, _, argument = (ctx.text or "").partition(" ")
    if word.isdecimal():
        note("begin", ctx)
        time.sleep(random.uniform(0.0, 0.01))
        note("end", ctx)
    else:
        MISDEEDS[word](ctx, argument)
    ctx.reply(f"got {ctx.text}")


def note(what: str, ctx: Context) -> None:
    """Append one line in one write, so that a kill leaves whole lines."""
    assert ctx.chat is not None
    line = f"{what} {os.getpid()} {ctx.chat.id} {ctx.text}\n"
    journal = os.open(os.environ["CHAOS_JOURNAL"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(journal, line.encode())
    os.close(journal)


def doze(_ctx: Context, seconds: str) -> None:
    """Sleep."""
    time.sleep(float(seconds))


def nap(_ctx: Context, file: str) -> None:
    """Sleep until a file is there."""
    while not Path(file).exists():
        time.sleep(0.02)


def fail(_ctx: Context, _: str) -> None:
    """Raise."""
    raise ValueError("misfit")


def leave(_ctx: Context, _: str) -> None:
    """End the program, as a script does."""
    sys.exit(3)


def vanish(_ctx: Context, code: str) -> None:
    """End the process at once."""
    os._exit(int(code))


def crash(_ctx: Context, _: str) -> None:
    """Read where nothing is."""
    ctypes.string_at(0)


def descend(_ctx: Context, _: str) -> None:
    """Recurse without end."""
    descend(_ctx, _)


def plunge(_ctx: Context, _: str) -> None:
    """Recurse without end through C, past the interpreter's limit."""
    sys.setrecursionlimit(2**31 - 1)

    def deeper(_value: int) -> int:
        return max((0, 1), key=deeper)

    deeper(0)


def grab(_ctx: Context, _: str) -> None:
    """Take one gibibyte, and touch it."""
    memory = bytearray(GIB)
    memory[:: 1 << 12] = b"x" * (GIB >> 12)


def hoard(_ctx: Context, _: str) -> None:
    """Take memory piece by piece until there is none, and keep it a while."""
    pieces = []
    try:
        while True:
            pieces.append(bytearray(1 << 20))
    except MemoryError:
        time.sleep(1.0)
        raise


def starve(_ctx: Context, _: str) -> None:
    """Be ended as the kernel ends a process when memory runs out."""
    os.kill(os.getpid(), signal.SIGKILL)


def spawn(ctx: Context, _: str) -> None:
    """Leave threads behind, two that never end, and one that answers later."""
    threading.Thread(target=threading.Event().wait, daemon=False).start()
    ThreadPoolExecutor(1).submit(threading.Event().wait)
    threading.Timer(0.3, ctx.reply, ["later"]).start()


def stay(_ctx: Context, _: str) -> None:
    """Never return."""
    threading.Event().wait()


def spin(_ctx: Context, _: str) -> None:
    """Never return, and work hard."""
    while True:
        pass


MISDEEDS: dict[str, Callable[[Context, str], None]] = {
    misdeed.__name__: misdeed
    for misdeed in (
        *(doze, nap, fail, leave, vanish, crash, descend, plunge, grab, hoard, starve),
        *(spawn, stay, spin),
    )
}
