"""gunicorn's worker with threads, of which a slow visitor holds none."""

from __future__ import annotations

import re
import selectors
import socket
import struct
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

from admin.bounds import BODY

HURRY = 20.0
"""Seconds in which a request must have arrived whole."""
LINGER = 2.0
"""Seconds that a visitor gets to take an answer in after which the connection is closed."""
STALLED = 20
"""Seconds for which an answer may not get on at all."""
HEAD = 128 * 1024
"""Bytes that a head may have before gunicorn's own limits are to decide."""
PIECE = 64 * 1024
ROOM = 64 * 2**20
"""Bytes that all requests of a worker that are not whole yet may take together."""

_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,18})[ \t]*\r\n", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:[^\r]*chunked", re.IGNORECASE)
_EXPECTS = re.compile(rb"\r\nexpect:[ \t]*100-continue", re.IGNORECASE)
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Arrival:
    """What has come of one request, and how much of it is still to come."""

    def __init__(self, begun: bytes = b"") -> None:
        self.bytes = bytearray(begun)
        self._expects = False
        self._needed: int | None = None
        """Bytes of the whole; None until the head is there, 0 where only its end tells."""
        self._read_head()

    def add(self, piece: bytes) -> None:
        """Take a piece in."""
        self.bytes += piece
        if self._needed is None:
            self._read_head(len(self.bytes) - len(piece) - len(_END))

    def is_whole(self) -> bool:
        """Whether a thread may have it: all is there, or it is to be refused anyway."""
        if self._needed is None:
            return len(self.bytes) > HEAD
        if self._needed == 0:
            return len(self.bytes) > HEAD + BODY or self.bytes.endswith(b"0\r\n\r\n")
        return len(self.bytes) >= self._needed

    def is_held_back(self) -> bool:
        """Whether the visitor waits to be told to send its body; asked once."""
        expects, self._expects = self._expects, False
        return expects

    def _read_head(self, since: int = 0) -> None:
        end = self.bytes.find(_END, max(0, since))
        if end < 0:
            return
        head = bytes(self.bytes[: end + 2])
        length = _LENGTH.search(head)
        size = int(length[1]) if length else 0
        self._needed = end + len(_END) + (size if size <= BODY else 0)
        if _CHUNKED.search(head):
            self._needed = 0
        self._expects = bool(_EXPECTS.search(head)) and 0 < size <= BODY


class Gatherer(ThreadWorker):  # type: ignore[misc]
    """Gathers each request in the one loop of the worker; a thread gets it when it is whole.

    gunicorn's own worker lends a thread to whoever connects: as many visitors as there are
    threads, who send a byte now and then or nothing, keep all others out.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.pending_conns: deque[Any] = deque()
        self.leaving: deque[Any] = deque()

    def enqueue_req(self, conn: Any) -> None:
        """Wait for the rest of a request; what came with the one before it is its beginning."""
        if self.cfg.is_ssl:
            super().enqueue_req(conn)
            return
        conn.arrival = Arrival(conn.parser.unreader.take_buffered() if conn.initialized else b"")
        if conn.arrival.is_whole():
            self._hand_over(conn)
            return
        conn.timeout = time.monotonic() + HURRY
        self.pending_conns.append(conn)
        self._watch(conn, self.on_pending_socket_readable)

    def on_pending_socket_readable(self, conn: Any, client: socket.socket) -> None:
        """Take in what has come."""
        if (piece := _receive(client)) is None:
            return
        conn.arrival.add(piece)
        if piece and not conn.arrival.is_whole() and not self._is_too_much(conn):
            if conn.arrival.is_held_back():
                _send(client, _CONTINUE)
            return
        self.pending_conns.remove(conn)
        if piece and conn.arrival.is_whole():
            self.poller.unregister(client)
            self._hand_over(conn)
        else:
            self._let_go(conn)

    def _watch(self, conn: Any, act: Callable[[Any, socket.socket], None]) -> None:
        conn.sock.setblocking(False)
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(act, conn))

    def _is_too_much(self, conn: Any) -> bool:
        """Whether all that was gathered takes more memory than it may, and this is a part of it."""
        if len(conn.arrival.bytes) <= PIECE:
            return False
        return sum(len(each.arrival.bytes) for each in self.pending_conns) > ROOM

    def _hand_over(self, conn: Any) -> None:
        """Let a thread answer; it reads what was gathered as if it came from the socket."""
        conn.init()
        conn.sock.setblocking(True)
        conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", STALLED, 0))
        conn.parser.unreader.unread(bytes(conn.arrival.bytes))
        conn.arrival = None
        super().enqueue_req(conn)

    def finish_request(self, conn: Any, fs: Any) -> None:
        """Go on with a connection that is kept; let any other one go without waiting for it."""
        if not fs.cancelled() and not fs.exception() and fs.result():
            super().finish_request(conn, fs)
            return
        try:
            conn.sock.shutdown(socket.SHUT_WR)
            self._watch(conn, self._ignore)
        except OSError:
            self.nr_conns -= 1
            conn.close()
        else:
            conn.timeout = time.monotonic() + LINGER
            self.leaving.append(conn)

    def _ignore(self, conn: Any, client: socket.socket) -> None:
        """Throw away what still comes: with it unread, the end would cut off the answer."""
        if _receive(client) == b"":
            self.leaving.remove(conn)
            self._let_go(conn)

    def _let_go(self, conn: Any) -> None:
        self.poller.unregister(conn.sock)
        self.nr_conns -= 1
        conn.close()

    def murder_pending(self) -> None:
        """Close what takes too long."""
        super().murder_pending()
        while self.leaving and self.leaving[0].timeout <= time.monotonic():
            self._let_go(self.leaving.popleft())

    def _cap_keepalive(self, deadline: float) -> None:
        """At the end wait only a moment for those who have not begun to ask."""
        super()._cap_keepalive(deadline)
        for conn in self.pending_conns:
            if not conn.arrival.bytes:
                conn.timeout = min(conn.timeout, deadline)
        self.pending_conns = deque(sorted(self.pending_conns, key=lambda conn: conn.timeout))


def _receive(client: socket.socket) -> bytes | None:
    """What has come, empty at the end; None when it was a false alarm."""
    try:
        return client.recv(PIECE)
    except BlockingIOError:
        return None
    except OSError:
        return b""


def _send(client: socket.socket, text: bytes) -> None:
    with suppress(OSError):  # who cannot be reached is found gone at the next read
        client.send(text)
