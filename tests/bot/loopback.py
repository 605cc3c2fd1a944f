"""A server on loopback that answers by a plan, for tests of the wire."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs

from settings import Secret

SECRET_PART = "AAxPlainTokenThatNobodyMaySee_0123456"
TOKEN = Secret(f"123456789:{SECRET_PART}")
PEM = str(Path(__file__).parent / "loopback.pem")
OK = b'{"ok":true,"result":true}'

Step = Callable[[socket.socket], bool]
"""What the server does with one request; False ends the connection."""


def answer(body: bytes = OK, status: str = "200 OK", head: str = "", promised: int = 0) -> Step:
    def step(connection: socket.socket) -> bool:
        length = promised or len(body)
        top = f"HTTP/1.1 {status}\r\n{head}Content-Length: {length}\r\n\r\n"
        connection.sendall(top.encode() + body)
        return not promised

    return step


def close(_connection: socket.socket) -> bool:
    return False


def reset(connection: socket.socket) -> bool:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False


def garbage(connection: socket.socket) -> bool:
    connection.sendall(b"this is not HTTP\r\n\r\n")
    return False


class Server:
    """Keeps every request and answers by a plan, one step a request; the plan's end is OK."""

    def __init__(self) -> None:
        self.plan: list[Step] = []
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.connections = 0
        self.closed = threading.Event()
        self.silent = threading.Event()
        self.tls = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        self.silent.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def say_nothing(self, _connection: socket.socket) -> bool:
        self.silent.wait(5)
        return False

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            if self.tls:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(PEM)
                connection = context.wrap_socket(connection, server_side=True)
            while self._read(connection):
                step = self.plan.pop(0) if self.plan else answer()
                if not step(connection):
                    break
        except OSError:
            pass
        finally:
            connection.close()
            self.closed.set()

    def _read(self, connection: socket.socket) -> bool:
        data = b""
        while b"\r\n\r\n" not in data:
            piece = connection.recv(65536)
            if not piece:
                return False
            data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ") for line in lines)}
        while len(body) < int(headers.get("content-length", 0)):
            if not (piece := connection.recv(65536)):
                return False
            body += piece
        self.requests.append((first, headers, body))
        return True


def fields_of(server: Server, number: int = -1) -> dict[str, list[str]]:
    """The form that a request held."""
    return parse_qs(server.requests[number][2].decode(), keep_blank_values=True)
