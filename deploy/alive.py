"""Ask a process of ours over HTTP whether it lives: `python -m deploy.alive metrics|panel`.

The image has no curl. Exit code 0: it answered as ours does; 1: it did not, or another one did.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from urllib.error import URLError
from urllib.request import urlopen

from settings import Settings, load

TIMEOUT = 3.0
OURS = {"metrics": re.compile(rb"^bot_", re.MULTILINE), "panel": re.compile(rb"\Aok\n\Z")}
"""What answers of ours have in them. More is not asked: a bot that cannot poll ends by itself."""


def address(what: str, settings: Settings) -> str:
    """Where to ask. Raises KeyError for what we do not have."""
    return {
        "metrics": f"http://127.0.0.1:{settings.metrics_port}/metrics",
        "panel": f"http://127.0.0.1:{settings.admin_port}/healthz",
    }[what]


def main(arguments: Sequence[str]) -> int:
    """Ask, and give the exit code."""
    if len(arguments) != 1 or arguments[0] not in OURS:
        print("usage: python -m deploy.alive metrics|panel", file=sys.stderr)
        return 2
    try:
        with urlopen(address(arguments[0], load()), timeout=TIMEOUT) as answer:  # noqa: S310  ours
            return 0 if OURS[arguments[0]].search(answer.read()) else 1
    except (URLError, OSError):
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
