"""The trial: what the bot is about to become is tried in a process of its own."""

from __future__ import annotations

import ctypes
import faulthandler
import re
import resource
import signal
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress

PATIENCE = 60
"""Seconds that a process may take."""
PASSED = 77
"""Exit code of a rehearsal that came to its end; a plugin that ends the process gives another."""
LOOK = 0.05
PR_SET_PDEATHSIG = 1
NOISE = re.compile(r" 0x[0-9a-f]{8,}|^\n?Extension modules: .*\n?", re.MULTILINE)
"""What the fault handler says anew each time, or to nobody's help."""


def rehearse(*more: str, stop: threading.Event | None = None) -> str | None:
    """Start the bot but for its threads and its port; None when that passes, else what it said."""
    return run_verb("run", "--rehearse", *more, passed=PASSED, stop=stop)


def rehearse_all(stop: threading.Event) -> str | None:
    """As `rehearse`, once the examples in the docstrings were played."""
    return rehearse("--examples", stop=stop)


def guard() -> None:
    """Bound this process, which is a trial: no dump, which would hold the token, and no orphan."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(AttributeError):  # Linux ends it with the thread that waits for it
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    faulthandler.dump_traceback_later(PATIENCE + 10, exit=True)


def run_verb(
    *verb: str, passed: int = 0, stop: threading.Event | None = None, patience: float = PATIENCE
) -> str | None:
    """Run `python -m bot VERB` in a process of its own; None when it passes, else what it said.

    Ends it after `patience` seconds, and when `stop` is set; what it was doing then is said too.
    """
    command = [sys.executable, "-X", "faulthandler", "-m", "bot", *verb]
    with tempfile.TemporaryFile() as said:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT
        )
        reason = _reason(child, _wait(child, stop or threading.Event(), patience), passed, patience)
        if reason is None:
            return None
        said.seek(0)
        lines = NOISE.sub("", said.read().decode(errors="replace")).strip()
    if not reason and lines:
        return lines
    reason = f"`python -m bot {' '.join(verb)}` {reason or 'failed'}"
    return f"{reason}\n{lines}".strip()


def _wait(child: subprocess.Popen[bytes], stop: threading.Event, patience: float) -> bool:
    """Wait for the end; False when it had to be brought about."""
    for _ in range(max(1, int(patience / LOOK))):
        try:
            child.wait(LOOK)
        except subprocess.TimeoutExpired:
            if stop.is_set():
                break
        else:
            return True
    child.send_signal(signal.SIGABRT)  # the fault handler says where it is
    try:
        child.wait(1.0)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    return False


def _reason(
    child: subprocess.Popen[bytes], ended: bool, passed: int, patience: float
) -> str | None:
    """Why it did not pass, "" when it says so itself; None when it passed."""
    if not ended:
        return f"did not end within {patience:g} s"
    if child.returncode == passed:
        return None
    if child.returncode < 0:
        return f"was ended by {signal.Signals(-child.returncode).name}"
    return "ended before it was done" if child.returncode == 0 else ""
