"""Tools: programs that check what we write, found beside Python or in the system."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


def find(name: str) -> str | None:
    """Where a program is, if it is."""
    beside = Path(sys.executable).parent / name
    return str(beside) if beside.exists() else shutil.which(name)


def tool(name: str) -> str:
    """Where a program is; skips the test on a machine without it."""
    found = find(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def run(
    command: Sequence[str],
    *,
    environ: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> str:
    """Run a program that must end well; give what it says."""
    said = subprocess.run(
        command, capture_output=True, text=True, check=False, env=environ, cwd=folder
    )
    assert said.returncode == 0, said.stdout + said.stderr
    return said.stdout
