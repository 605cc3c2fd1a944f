"""Ports for the servers of tests: each is given once, and the system gives it to nobody."""

from __future__ import annotations

import itertools
import os
import secrets
import socket

LOWEST, SHARE = 20_000, 1_000
"""Below 32,768, where Linux takes what `bind` to port 0 and outgoing connections get: a port from
there may be taken before the server that is to have it has started, or while it starts again."""
WORKERS = 12
"""How many processes of pytest have a share of their own."""


def _share() -> range:
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = LOWEST + worker % WORKERS * SHARE
    return range(first, first + SHARE)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True


_ports = itertools.cycle(_share())
for _ in range(secrets.randbelow(SHARE)):  # runs at the same time seldom meet
    next(_ports)


def free_port() -> int:
    """A port on which nothing listens, another one each time. Raises OSError when all are taken."""
    for port in itertools.islice(_ports, SHARE):
        if _is_free(port):
            return port
    raise OSError("every port of the share is taken")
