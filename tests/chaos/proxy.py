"""A proxy of sockets that can break: what stands between the bot and a server."""

from __future__ import annotations

import socket
import struct
import threading
import time
from contextlib import suppress
from enum import Enum, auto

RESET = struct.pack("ii", 1, 0)


class Mode(Enum):
    """What becomes of the bytes of all connections, those that are open included."""

    PASS = auto()
    HANG = auto()
    """Connections are taken, bytes are swallowed, nothing comes back."""
    MUTE = auto()
    """What is asked is carried out, and the answers are swallowed."""
    SLOW = auto()
    """Every piece of an answer waits for a moment."""
    RESET = auto()
    """Connections are taken and torn down."""


class Proxy:
    """Carries bytes between whoever connects to `port` and a server of this machine."""

    def __init__(self, server_port: int, *, delay: float = 0.2) -> None:
        self.mode = Mode.PASS
        self.connections = 0
        self._server_port = server_port
        self._delay = delay
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Tear down every open connection."""
        for end in list(self._open):
            _reset(end)

    def close(self) -> None:
        """Take no more connections, and tear down those that are open."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            try:
                server = socket.create_connection(("127.0.0.1", self._server_port), 5)
            except OSError:
                _reset(client)
                continue
            server.settimeout(None)
            self._open |= {client, server}
            for ends in ((client, server, True), (server, client, False)):
                threading.Thread(target=self._carry, args=ends, daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, asks: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if self.mode is Mode.RESET:
                    _reset(source)
                elif self.mode is Mode.HANG or (self.mode is Mode.MUTE and not asks):
                    continue
                elif self.mode is Mode.SLOW and not asks:
                    time.sleep(self._delay)
                target.sendall(data)
        for end in (source, target):
            self._open.discard(end)
            _reset(end)


def _reset(end: socket.socket) -> None:
    """Tear a connection down as a machine that lost it does."""
    with suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        end.shutdown(socket.SHUT_RDWR)
    end.close()
