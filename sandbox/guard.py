"""Tell the sandbox's own chat page from web pages elsewhere, by Host and Origin."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})


class Guard:
    """Knows the names the sandbox answers to.

    A page elsewhere cannot fake its Origin, and a name that an attacker points at 127.0.0.1
    (DNS rebinding) shows in Host.
    """

    def __init__(self, hosts: Iterable[str] = ()) -> None:
        self._names = LOOPBACK_NAMES | {name.lower() for name in hosts}

    def knows_host(self, request: Request) -> bool:
        """Whether the request was made to one of our own names."""
        name = request.headers.get("Host", "").lower()
        if name.rpartition("]")[2].count(":"):
            name = name.rpartition(":")[0]
        return name in self._names

    def is_ours(self, request: Request) -> bool:
        """Whether a page that we served made the request."""
        origin = request.headers.get("Origin", "").lower()
        host = request.headers.get("Host", "").lower()
        return self.knows_host(request) and origin in (f"http://{host}", f"https://{host}")

    def is_foreign(self, request: Request) -> bool:
        """Whether a browser made the request for another site's page; a bot is never foreign."""
        if "Origin" in request.headers:
            return not self.is_ours(request)
        site = request.headers.get("Sec-Fetch-Site")
        if site is None:
            return False
        return site not in ("none", "same-origin") or not self.knows_host(request)
