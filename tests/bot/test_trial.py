"""The trial: what passes, and what is said of what does not."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from bot.run import rehearse
from bot.trial import PASSED, run_verb
from settings import load

ROOT = Path(__file__).parent.parent.parent

FILES = {
    "broken.py": ("raise ValueError('out of order')\n", "broken.py:1: ValueError: out of order"),
    "odd.py": ("def nothing(", "odd.py:1: SyntaxError"),
    "crash.py": ("import ctypes\nctypes.string_at(0)\n", "was ended by SIGSEGV"),
    "quit.py": ("import os\nos._exit(0)\n", "ended before it was done"),
}


def trial(folder: Path, **environ: str) -> tuple[int, str]:
    """Rehearse in a process; its exit code and what it said."""
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-m", "bot", "run", "--rehearse"],
        cwd=folder,
        env={"PATH": os.defpath, "PYTHONPATH": str(ROOT), **environ},
        capture_output=True,
        check=False,
        timeout=60,
    )
    return done.returncode, (done.stdout + done.stderr).decode()
