"""What tests of the doctor's looks share: pages that are served, and findings as text."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from werkzeug import Request, Response

from bot.probes import Finding, Tone
from sandbox.sockets import open_server

AT = datetime(2026, 7, 31, 10, 0)  # noqa: DTZ001  UTC and naive, as in the tables
Serve = Callable[[Any], int]
PROMETHEUS = "# HELP prometheus_build_info A metric.\nprometheus_build_info 1\nx_bot_y 1\n"
"""What another program's metrics look like."""


@contextmanager
def serving() -> Iterator[Serve]:
    """Serve an application on a port of its own, and give it."""
    servers = []

    def start(app: Any) -> int:
        server = open_server(app, 0)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        return int(server.port)

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def page(text: str, status: int = 200, **headers: str) -> Any:
    """An application that answers everything with one text."""

    @Request.application
    def answer(_request: Request) -> Response:
        return Response(text, status, headers={k.replace("_", "-"): v for k, v in headers.items()})

    return answer


def told(found: Iterable[Finding], tone: Tone = Tone.BAD) -> str:
    """What the findings of one tone say, a line each; what is bad says how to mend it."""
    said = [each.said for each in found if each.tone is tone]
    assert tone is not Tone.BAD or all(": " in each for each in said)
    return "\n".join(said)
