"""Bearers: whose token a request of the API brings, and how many requests it may make."""

from __future__ import annotations

from flask import g, request
from werkzeug.exceptions import TooManyRequests

from admin.auth.rights import Caller
from admin.panel import Panel
from services import api_tokens
from services.rates import Rates


class Bearers:
    """Tokens in the Authorization header, and nowhere else: an address ends up in logs."""

    def __init__(self, panel: Panel, rates: Rates) -> None:
        self._panel = panel
        self._rates = rates

    def recognise(self) -> None:
        """Find out whose token it is; before every request of the API, whose cookies are not read.

        It is read from the database each time, so that one that was revoked is dead at once.
        """
        given = request.authorization
        at = self._panel.clock()
        g.caller = None
        if given is None or given.type != "bearer" or not given.token:
            return
        if token := api_tokens.find(given.token, at):
            api_tokens.touch(token, at)
            g.caller = Caller(token)

    def count(self, caller: Caller) -> None:
        """Count a request; raises TooManyRequests when there are too many in a minute."""
        most = self._panel.api_rate
        wait = self._rates.take(f"api:{caller.token.id}", most)
        if wait is not None:
            said = f"A token makes {most} requests a minute: try again in {wait} seconds."
            raise TooManyRequests(said, retry_after=wait)
