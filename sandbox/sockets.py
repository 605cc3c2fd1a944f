"""Serve a WSGI application on one socket: HTTP/1.1 with keep-alive, a thread a connection."""

from __future__ import annotations

import io
import logging
import socket
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from werkzeug.serving import (
    BaseWSGIServer,
    DechunkedInput,
    WSGIRequestHandler,
    make_server,
    select_address_family,
)

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

BODY_LIMIT = 64 * 1024 * 1024
CHUNK = 1024 * 1024
IDLE_SECONDS = 75

log = logging.getLogger(__name__)


class Cut(ConnectionError):
    """Raised by the application: close the connection without an answer."""


class _BadBody(Exception):
    """The body cannot be read; carries the HTTP status and its reason."""


class Handler(WSGIRequestHandler):
    """Runs the application for each request of a connection.

    Werkzeug's own handler closes the connection after every answer, because it leaves unread
    bodies behind; this one reads the whole body first and can keep the connection.
    """

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = IDLE_SECONDS

    def run_wsgi(self) -> None:
        """Answer one request; a Cut or a vanished client closes the connection."""
        self._head_sent = False
        self.wfile.flush()  # "100 Continue" may still sit in the buffer
        self.environ = environ = self.make_environ()
        try:
            self._take_body(environ)
        except _BadBody as error:
            self._refuse(*error.args)
            return
        try:
            self._answer(self.server.app, environ)
        except ConnectionError:
            self.close_connection = True
        except Exception:
            # The path is left out on purpose: it holds the bot's token.
            log.exception("the sandbox failed to answer a %s request", self.command)
            self.close_connection = True
            if not self._head_sent:
                self._refuse(500, "Internal Server Error")

    def _take_body(self, environ: WSGIEnvironment) -> None:
        source = environ["wsgi.input"]
        if isinstance(source, DechunkedInput):
            body = _read_chunks(source)
        else:
            body = source.read(_length(environ.get("CONTENT_LENGTH") or "0"))
        environ["wsgi.input"] = io.BytesIO(body)
        environ["wsgi.input_terminated"] = True
        environ["CONTENT_LENGTH"] = str(len(body))

    def _answer(self, app: WSGIApplication, environ: WSGIEnvironment) -> None:
        started: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(
            status: str, headers: list[tuple[str, str]], _exc_info: Any = None
        ) -> Callable[[bytes], object]:
            started.append((status, headers))
            return self.wfile.write

        parts = app(environ, start_response)
        try:
            self._write_head(*started[-1])
            self._write_parts(parts)
        finally:
            close = getattr(parts, "close", None)
            if close:
                close()

    def _write_head(self, status: str, headers: list[tuple[str, str]]) -> None:
        self._head_sent = True
        code, _, reason = status.partition(" ")
        self.send_response(int(code), reason)
        for name, value in headers:
            self.send_header(name, value)
        if not any(name.lower() == "content-length" for name, _ in headers):
            self.send_header("Connection", "close")  # the end of the stream is its length
        self.end_headers()

    def _write_parts(self, parts: Iterable[bytes]) -> None:
        for part in parts:
            if self.command != "HEAD":
                self.wfile.write(part)
                self.wfile.flush()
        self.wfile.flush()

    def _refuse(self, code: int, reason: str) -> None:
        body = b'{"ok":false,"error_code":%d,"description":"%s"}' % (code, reason.encode())
        self._write_head(
            f"{code} {reason}",
            [
                ("Content-Type", "application/json"),
                ("Content-Length", str(len(body))),
                ("Connection", "close"),
            ],
        )
        self._write_parts([body])

    def finish(self) -> None:
        """Close the streams, also when the client went away before it read its answer."""
        with suppress(ConnectionError):
            super().finish()
        self.rfile.close()

    def version_string(self) -> str:
        """Name the server without its version."""
        return "sandbox"

    def log(self, *_: Any) -> None:
        """Say nothing: a request line holds the bot's token."""

    def log_request(self, *_: Any) -> None:
        """Say nothing, as above."""


def _length(header: str) -> int:
    if not header.isdecimal():
        raise _BadBody(400, "Bad Request")
    if int(header) > BODY_LIMIT:
        raise _BadBody(413, "Request Entity Too Large")
    return int(header)


def _read_chunks(source: DechunkedInput) -> bytes:
    body = b""
    try:
        while part := source.read(CHUNK):
            body += part
            if len(body) > BODY_LIMIT:
                raise _BadBody(413, "Request Entity Too Large")
    except OSError as error:
        raise _BadBody(400, "Bad Request") from error
    return body


def open_server(app: WSGIApplication, port: int, *, host: str = "127.0.0.1") -> BaseWSGIServer:
    """Bind `host:port` (0 = any free one) and give the server, not yet serving.

    Raises OSError when the port is taken or the host is not one of this machine's.
    """
    family = select_address_family(host, port)
    with socket.create_server((host, port), family=family, backlog=128) as listener:
        return make_server(
            host, port, app, threaded=True, request_handler=Handler, fd=listener.fileno()
        )
