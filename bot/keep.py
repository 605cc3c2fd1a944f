"""What `--keep` does: keeps the bot, or the panel, running where no supervisor does."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Protocol

log = logging.getLogger(__name__)

FINAL = (0, 2)
"""Exit codes that starting again does not change: a clean end, and what a person must mend."""
LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
PR_SET_PDEATHSIG = 1
SHORT = 10.0
"""Seconds of life below which the next start waits longer."""
LONGEST = 10.0


class Child(Protocol):
    """A process as far as it must be known here."""

    def wait(self) -> int:
        """Wait for its end; give its exit code."""

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it still lives."""


def spawn(verb: str = "run") -> Child:
    """Start a verb, in a session of its own: a stop reaches it once, from its keeper.

    Two of them would end the bot at once, with its handlers half done. It also ends, as by a stop,
    when its keeper is killed: nobody would reach it any more.
    """
    return subprocess.Popen(
        [sys.executable, "-m", "bot", verb],
        start_new_session=True,
        preexec_fn=partial(_end_with, os.getpid()),  # noqa: PLW1509 - the keeper has one thread
    )


def _end_with(keeper: int) -> None:
    """Get a SIGTERM when the keeper dies; on Linux, whose prctl(2) has it."""
    if LIBC is not None:
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != keeper:  # it died before that
            os.kill(os.getpid(), signal.SIGTERM)


class Keeper:
    """Starts a child again whenever it dies; a stop by hand goes on to it and ends both."""

    def __init__(
        self,
        start: Callable[[], Child] = spawn,
        *,
        name: str = "bot",
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._start = start
        self._name = name
        self._clock = clock
        self._sleep = sleep
        self._child: Child | None = None
        self._on_terminal = os.isatty(0)
        self._stopping = False
        self._pause = 0.0

    def run(self) -> int:
        """Keep the child running until it ends by itself or is stopped; give its exit code."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._pass_on)
        while (code := self.step()) is None:
            self._sleep(self._pause)
            if self._stopping:
                return 0
        return code

    def step(self) -> int | None:
        """Run the child once; its exit code when that is final, else None."""
        born = self._clock()
        self._child = self._start()
        if self._stopping:  # asked while it was being started
            self._child.send_signal(signal.SIGTERM)
        code = self._child.wait()
        if self._stopping or code in FINAL:
            return code if code >= 0 else 128 - code
        lived = self._clock() - born
        self._pause = min(LONGEST, max(0.2, self._pause * 2)) if lived < SHORT else 0.2
        said = "the %s died (%s) and is started again in %.1f s"
        log.error(said, self._name, _cause(code), self._pause)
        return None

    def _pass_on(self, number: int, _frame: object) -> None:
        if number == signal.SIGHUP and self._on_terminal and not os.isatty(0):  # it was closed
            number = signal.SIGTERM
        self._stopping |= number != signal.SIGHUP
        if self._child is not None:
            self._child.send_signal(number)


def _cause(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
