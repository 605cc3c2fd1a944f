"""Ask a process of ours over HTTP whether it lives: `python -m deploy.alive metrics|panel`.

The image has no curl. Exit code 0: it answered; 1: it did not.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from urllib.error import URLError
from urllib.request import urlopen

from settings import Settings, load

TIMEOUT = 3.0


def address(what: str, settings: Settings) -> str:
    """Where to ask. Raises KeyError for what we do not have."""
    return {
        "metrics": f"http://127.0.0.1:{settings.metrics_port}/metrics",
        "panel": f"http://127.0.0.1:{settings.admin_port}/healthz",
    }[what]


def main(arguments: Sequence[str]) -> int:
    """Ask, and give the exit code."""
    if len(arguments) != 1 or arguments[0] not in ("metrics", "panel"):
        print("usage: python -m deploy.alive metrics|panel", file=sys.stderr)
        return 2
    try:
        with urlopen(address(arguments[0], load()), timeout=TIMEOUT) as answer:  # noqa: S310  ours
            return 0 if answer.status == 200 else 1
    except (URLError, OSError):
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
