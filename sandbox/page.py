"""The chat page as a web application: its files, its guard, its views and its deeds."""

from __future__ import annotations

from flask import Flask, Response, jsonify, request
from flask.typing import ResponseReturnValue

from sandbox.deeds import Deeds
from sandbox.fields import Unclear
from sandbox.guard import Guard
from sandbox.roster import Roster
from sandbox.sockets import BODY_LIMIT
from sandbox.telegram import Impossible, Telegram
from sandbox.views import Views

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def make_page(telegram: Telegram, guard: Guard, roster: Roster) -> Flask:
    """The chat page of a Telegram; reads stand under GET /app/…, deeds under POST /app/…."""
    app = Flask(__name__, static_folder="static", static_url_path="/static")
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.config["MAX_CONTENT_LENGTH"] = BODY_LIMIT
    app.config["MAX_FORM_MEMORY_SIZE"] = BODY_LIMIT
    _protect(app, guard)
    _explain(app)
    app.add_url_rule("/", view_func=lambda: app.send_static_file("index.html"), endpoint="index")
    Views(telegram, roster).add_to(app)
    Deeds(telegram).add_to(app)
    return app


def _protect(app: Flask, guard: Guard) -> None:
    """Let in nobody but our own page, and let the page load nothing but its own files."""

    @app.before_request
    def check() -> ResponseReturnValue | None:
        if not guard.knows_host(request):
            return _error(421, "Open the chat page as http://localhost or http://127.0.0.1.")
        if request.method not in ("GET", "HEAD") and not guard.is_ours(request):
            return _error(403, "Only the sandbox's own page may do this.")
        return None

    @app.after_request
    def add_headers(response: Response) -> Response:
        response.headers.update(HEADERS)
        if request.path.startswith("/app/"):
            response.headers["Cache-Control"] = "no-store"
        return response


def _explain(app: Flask) -> None:
    """Answer what a person cannot do with the reason."""

    @app.errorhandler(Unclear)
    def unclear(error: Unclear) -> ResponseReturnValue:
        return _error(400, str(error))

    @app.errorhandler(Impossible)
    def impossible(error: Impossible) -> ResponseReturnValue:
        return _error(409, str(error))


def _error(status: int, text: str) -> ResponseReturnValue:
    return jsonify(error=text), status
