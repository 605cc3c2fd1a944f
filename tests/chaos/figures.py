"""Figures of a run: kept in the file that CHAOS_REPORT names."""

from __future__ import annotations

import os
from pathlib import Path


def tell(said: str) -> None:
    """Keep a figure of the test that runs."""
    if report := os.environ.get("CHAOS_REPORT"):
        name = os.environ.get("PYTEST_CURRENT_TEST", "").partition(" ")[0]
        with Path(report).open("a") as file:
            file.write(f"{name}: {said}\n")
