"""A sandbox on a free port, for the tests that need a real socket."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sandbox.server import make_app
from sandbox.sockets import open_server
from sandbox.telegram import Telegram

TOKEN = "1000000001:sandbox_sandbox_sandbox_sandbox_000"
ALICE = 1001


@contextmanager
def serving(telegram: Telegram) -> Iterator[int]:
    """Serve a Telegram while the block runs; gives the port."""
    server = open_server(make_app(telegram), 0)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server.port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def exchange(port: int, request: bytes) -> bytes:
    """Send raw bytes and read until the server closes the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(request)
        answer = b""
        while part := connection.recv(65536):
            answer += part
    return answer


def json_of(answer: bytes) -> dict[str, object]:
    """The JSON body of a raw answer."""
    body: dict[str, object] = json.loads(answer.partition(b"\r\n\r\n")[2])
    return body
