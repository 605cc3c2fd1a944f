"""The folder in which the workers of the panel count, for the time of one start."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import IO

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""Names the folder to the Prometheus library. The bot must not have it: it counts in itself."""
MEMORY = Path("/dev/shm")  # noqa: S108  whoever uses it makes a file or folder of their own
PREFIX = "steadygram-panel-"
LOCK = "in_use"


def memory() -> Path:
    """A folder whose files are in memory and on no disk, where there is one."""
    return MEMORY if os.access(MEMORY, os.W_OK) else Path(tempfile.gettempdir())


def make_folder(environ: MutableMapping[str, str], inside: Path | None = None) -> IO[str]:
    """Make an empty folder that only we may enter, and name it to this process alone.

    Gives a lock that this process and its children must hold while the folder is in use; those
    that nobody holds are removed, since a start that was killed could not do so.
    """
    inside = inside or memory()
    sweep(inside)
    environ[VARIABLE] = tempfile.mkdtemp(prefix=PREFIX, dir=inside)
    lock = (Path(environ[VARIABLE]) / LOCK).open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


def remove_folder(environ: MutableMapping[str, str]) -> None:
    """Remove it, once all workers are gone."""
    shutil.rmtree(environ.pop(VARIABLE), ignore_errors=True)


def sweep(inside: Path) -> None:
    """Remove what starts that are over left behind; what is not ours cannot be opened."""
    for path in inside.glob(f"{PREFIX}*/{LOCK}"):
        with suppress(OSError), path.open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path.parent, ignore_errors=True)
