"""/healthz says that the process is alive, /readyz whether everything that it needs works."""

from __future__ import annotations

import threading
from http import HTTPStatus

from flask import Blueprint, Response, jsonify

from admin.auth.rights import anybody
from admin.panel import Panel
from bot.loader import sources
from database import current
from outages import is_outage
from services import pulse
from services.migrations import pending

NAME = "probes"
OK = "ok"
FRESH = 1.0
"""Seconds for which a finding is given again: whoever asks often costs the database nothing."""
LATE = 300.0
"""Seconds that an update may wait."""
SILENT = 30.0
"""Seconds without a beat of the process that acts for a bot; another takes over in ten."""

Findings = dict[str, str]


class Probes:
    """The two routes; neither needs a session, a host that is trusted, or a database that answers.

    Nobody waits for a database that hangs: while one request looks, the others are given what
    was found before.
    """

    def __init__(self, panel: Panel) -> None:
        self.panel = panel
        self._lock = threading.Lock()
        self._found: Findings = {"database": "not looked at yet"}
        self._found_at = float("-inf")

    def blueprint(self) -> Blueprint:
        """The routes, for the application."""
        routes = Blueprint(NAME, __name__)
        routes.get("/healthz")(self.healthz)
        routes.get("/readyz")(self.readyz)
        return routes

    @anybody
    def healthz(self) -> Response:
        """Say that the process is alive, and nothing else."""
        return Response("ok\n", content_type="text/plain")

    @anybody
    def readyz(self) -> tuple[Response, int]:
        """Say which part is not ready."""
        found = self.look()
        ready = all(said == OK for said in found.values())
        status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
        return jsonify({"ready": ready, **found}), status

    def look(self) -> Findings:
        """What was found, at most a second ago unless another thread is looking now."""
        if self._lock.acquire(blocking=False):
            try:
                if self.panel.ticks() - self._found_at >= FRESH:
                    self._found = self.examine()
                    self._found_at = self.panel.ticks()
            finally:
                self._lock.release()
        return self._found

    def examine(self) -> Findings:
        """Look at each part."""
        database = current()
        try:
            with database.connection_context():
                if names := pending(database, sources(self.panel.registry)):
                    return {"database": OK, "migrations": f"{len(names)} pending"}
                return {"database": OK, "migrations": OK, **self._bot()}
        except Exception as error:
            if not is_outage(error):
                raise
            return {"database": "cannot be reached"}

    def _bot(self) -> Findings:
        at = self.panel.clock()
        waits = pulse.wait(at)
        silence = pulse.silence(self.panel.settings.bot_ids, at)
        inbox = OK if waits <= LATE else f"an update waits for {waits:.0f} s"
        if silence is None:
            return {"inbox": inbox, "poller": "not running"}
        poller = OK if silence <= SILENT else f"silent for {silence:.0f} s"
        return {"inbox": inbox, "poller": poller}
