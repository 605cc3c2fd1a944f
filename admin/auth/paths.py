"""Where a form may lead on to: paths of our own, nothing else."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from flask import abort, request

from admin.problems import is_api

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


def refuse_foreign() -> None:
    """Answer 400 when `url`, which Flask-Admin follows after a form, leads elsewhere."""
    if is_api():
        return
    for given in request.values.getlist("url"):
        if own_path(given, "") != given:
            abort(400, "The address to go back to must be a path of the panel.")
