"""The sandbox's HTTP side: the Bot API for any bot library, the chat page for everybody else."""

from __future__ import annotations

import json
import logging
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Request, Response

from sandbox.guard import Guard
from sandbox.page import make_page
from sandbox.roster import Roster
from sandbox.sockets import BODY_LIMIT, Cut, open_server
from sandbox.telegram import ConnectionCut, File, Telegram

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

LOOPBACK = "127.0.0.1"
POLL_SECONDS = 0.1

log = logging.getLogger(__name__)


class BadRequest(Exception):
    """The parameters of a call cannot be read; the text is Telegram's description."""


class ApiRequest(Request):
    """A request whose form fields may be as long as the whole body."""

    max_content_length = BODY_LIMIT
    max_form_memory_size = None


def read_params(request: Request) -> dict[str, Any]:
    """The parameters of a call, from query, form and JSON; the query wins, as at Telegram."""
    params: dict[str, Any] = {}
    if request.mimetype == "application/json":
        params.update(_read_json(request.get_data()))
    else:
        params.update(request.form.to_dict())
    params.update(request.args.to_dict())
    return params


def _read_json(body: bytes) -> dict[str, Any]:
    if not body.strip():
        return {}
    try:
        value = json.loads(body)
    except ValueError:
        raise BadRequest("Bad Request: can't parse parameters: invalid JSON") from None
    if not isinstance(value, dict):
        raise BadRequest("Bad Request: can't parse parameters: expected an Object")
    return value


def read_files(request: Request) -> dict[str, File]:
    """The uploaded files by their field name."""
    return {
        field: File(part.filename or field, part.read(), part.mimetype)
        for field, part in request.files.items()
    }


def answer_json(
    status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None
) -> Response:
    """A JSON answer; `retry_after` is repeated in the header, as Telegram does."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    response = Response(text, status, dict(headers or {}), content_type="application/json")
    wait = body.get("parameters", {}).get("retry_after")
    if wait is not None:
        response.headers["Retry-After"] = str(wait)
    return response


def answer_error(status: int, description: str) -> Response:
    """An error in Telegram's shape."""
    return answer_json(status, {"ok": False, "error_code": status, "description": description})


class BotApi:
    """`/bot<token>/METHOD` and `/file/bot<token>/<path>` over a Telegram."""

    def __init__(self, telegram: Telegram, guard: Guard, roster: Roster) -> None:
        self._telegram = telegram
        self._guard = guard
        self._roster = roster

    def respond(self, request: Request) -> Response:
        """Answer one request; raises Cut when a fault says to drop the connection."""
        if self._guard.is_foreign(request):
            return answer_error(403, "Forbidden: web pages of other sites may not call the sandbox")
        if request.method not in ("GET", "POST"):
            return answer_error(405, "Method Not Allowed")
        if request.path.startswith("/file/bot"):
            return self._download(request.path.removeprefix("/file/bot"))
        token, slash, method = request.path.removeprefix("/bot").partition("/")
        if not slash or "/" in method:
            return answer_error(404, "Not Found")
        return self._call(token, method, request)

    def _call(self, token: str, method: str, request: Request) -> Response:
        try:
            params, files = read_params(request), read_files(request)
        except BadRequest as error:
            return answer_error(400, str(error))
        except HTTPException as error:
            return answer_error(error.code or 400, error.name)
        try:
            answer = self._telegram.call(token, method, params, files)
        except ConnectionCut as cut:
            raise Cut("a fault cut the connection") from cut
        if answer.status != HTTPStatus.UNAUTHORIZED:
            self._roster.hear(token)
        return answer_json(answer.status, answer.body, answer.headers)

    def _download(self, rest: str) -> Response:
        token, _, path = rest.partition("/")
        if not self._roster.knows(token):
            return answer_error(401, "Unauthorized")
        file = self._telegram.file(path)
        if file is None:
            return answer_error(404, "Not Found")
        return Response(file.data, content_type="application/octet-stream")


def make_app(telegram: Telegram, *, hosts: Iterable[str] = ()) -> WSGIApplication:
    """The whole sandbox as one WSGI application; `hosts` are more names the page may have."""
    guard = Guard(hosts)
    roster = Roster(telegram)
    api = BotApi(telegram, guard, roster)
    page = make_page(telegram, guard, roster)

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"].startswith(("/bot", "/file/bot")):
            with ApiRequest(environ) as request:  # closes the uploaded files
                response = api.respond(request)
            return response(environ, start_response)
        return page(environ, start_response)

    return app


@contextmanager
def _stopped_by_signals(needed: Callable[[], bool]) -> Iterator[None]:
    """Let SIGINT raise KeyboardInterrupt while the block runs, and SIGTERM once nobody needs it."""

    def wait() -> None:
        while needed():
            time.sleep(POLL_SECONDS)
        signal.raise_signal(signal.SIGINT)

    def ask(*_: object) -> None:
        threading.Thread(target=wait, name="needed", daemon=True).start()

    before = (
        signal.signal(signal.SIGTERM, ask),
        signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before[0])
        signal.signal(signal.SIGINT, before[1])


def serve(port: int, *, host: str = LOOPBACK, needed: Callable[[], bool] = lambda: False) -> None:
    """Serve a fresh sandbox until SIGTERM or SIGINT; call it from the main thread.

    After SIGTERM it still serves while it is `needed`. Raises OSError when the port is taken.
    """
    server = open_server(make_app(Telegram(), hosts=[host]), port, host=host)
    log.info("sandbox: http://%s:%s", "localhost" if host == LOOPBACK else host, server.port)
    with suppress(KeyboardInterrupt), _stopped_by_signals(needed):
        server.serve_forever(POLL_SECONDS)
