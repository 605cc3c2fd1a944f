"""Where a form may lead on to: paths of our own, nothing else."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

OWN = re.compile(r"/(?![/\\])[^\\\x00-\x20\x7f]*")
"""One slash, then anything but a second one, a backslash, blanks or control characters."""


def own_path(given: str | None, default: str = "/") -> str:
    """The path when it is one of ours, else the default."""
    return given if given and OWN.fullmatch(given) else default


def path_of(address: str | None) -> str:
    """The path of an address; empty when it is none."""
    try:
        return urlsplit(address or "").path
    except ValueError:
        return ""
