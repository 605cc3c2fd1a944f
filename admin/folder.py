"""The folder in which the workers of the panel count, for the time of one start."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import MutableMapping
from pathlib import Path

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""Names the folder to the Prometheus library. The bot must not have it: it counts in itself."""
MEMORY = Path("/dev/shm")  # noqa: S108  whoever uses it makes a file or folder of their own


def memory() -> str | None:
    """A folder whose files are in memory and on no disk, where there is one."""
    return str(MEMORY) if os.access(MEMORY, os.W_OK) else None


def make_folder(environ: MutableMapping[str, str]) -> None:
    """Make an empty folder that only we may enter, and name it to this process alone."""
    environ[VARIABLE] = tempfile.mkdtemp(prefix="steadygram-panel-", dir=memory())


def remove_folder(environ: MutableMapping[str, str]) -> None:
    """Remove it, once all workers are gone."""
    shutil.rmtree(environ.pop(VARIABLE), ignore_errors=True)
