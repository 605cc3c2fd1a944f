"""Requests: each has an id that its answer, its page of an error and its lines in the log carry."""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Callable

from flask import Flask, Response, g, request
from werkzeug.exceptions import SecurityError
from werkzeug.wsgi import get_host

from admin import probes
from admin.bounds import METHODS
from bot.logs import topic
from bot.tracing import tracing
from settings import Settings

log = logging.getLogger(__name__)

HEADER = "X-Request-ID"
GIVEN = re.compile(r"[A-Za-z0-9._-]{8,64}")


def request_id() -> str:
    """The id of the request that is being answered."""
    return str(g.get("request_id", ""))


def _method() -> str:
    return request.method if request.method in METHODS else "other"


def _route() -> str | None:
    return request.url_rule.rule if request.url_rule else None


def is_dull(response: Response) -> bool:
    """Whether nobody wants to read of it: a probe, or a file that was given out."""
    is_file = (request.endpoint or "").endswith("static") and response.status_code < 400
    return is_file or request.blueprint == probes.NAME


class Traffic:
    """Gives ids, refuses names of hosts that are not ours, and logs one line a request."""

    def __init__(self, settings: Settings, *, ticks: Callable[[], float] = time.monotonic) -> None:
        self._hosts = list(settings.hosts)
        self._proxied = settings.trusted_proxies > 0
        self._ticks = ticks

    def watch(self, app: Flask) -> None:
        """See every request of an application first, and its answer last."""
        app.before_request(self.begin)
        app.after_request(self.end)
        app.teardown_request(self.leave)

    def begin(self) -> None:
        """Name the request. Whoever probes may come by an address instead of a name of ours."""
        g.request_id = self._identify()
        g.began = self._ticks()
        topic.fields = {"request_id": g.request_id}
        g.span = tracing.span("request", method=_method(), route=_route() or "none")
        g.span.__enter__()
        if self._hosts and request.blueprint != probes.NAME:
            self._refuse_stranger()

    def end(self, response: Response) -> Response:
        """Put the id on the answer, and log the request once all of it is sent.

        No path, no query and no word of a visitor is in the line: only what is ours.
        """
        response.headers[HEADER] = request_id()
        level = logging.DEBUG if is_dull(response) else logging.INFO
        began, who = g.get("began", self._ticks()), g.get("caller") or g.get("visitor")
        fields = {
            "request_id": request_id(),
            "method": _method(),
            "route": _route(),
            "status": response.status_code,
            "address": request.remote_addr,
            "admin_id": who.admin.id if who else None,
        }

        def say() -> None:
            spent = round((self._ticks() - began) * 1000, 1)
            log.log(level, "panel_request", extra={**fields, "duration_ms": spent})

        response.call_on_close(say)
        return response

    def leave(self, _error: BaseException | None) -> None:
        """What this thread logs from now on belongs to no request."""
        topic.fields = {}
        if span := g.pop("span", None):
            span.__exit__(None, None, None)

    def _identify(self) -> str:
        """An id of ours; a proxy that is trusted may have given one."""
        given = request.headers.get(HEADER, "") if self._proxied else ""
        return given if GIVEN.fullmatch(given) else secrets.token_hex(8)

    def _refuse_stranger(self) -> None:
        """Refuse a request that was sent to another name. Raises SecurityError, which is a 400."""
        try:
            get_host(request.environ, self._hosts)
        except SecurityError:
            raise SecurityError("Nothing is served under this name: see TRUSTED_HOSTS.") from None
