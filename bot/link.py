"""A link: one connection to Telegram, kept open, and the answer that comes over it."""

from __future__ import annotations

import select
import socket
import ssl
import threading

import httptools

from bot.wire import Reply

PIECE = 65536
"""Bytes that are read at once."""


class Link:
    """One connection, kept open; it carries one call at a time."""

    __slots__ = ("_body", "_keep", "_parser", "after", "due", "lock", "reply", "sock", "used")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.lock = threading.Lock()
        """OpenSSL cannot read and write one connection at once."""
        self.due = 0.0
        """When the answer is late."""
        self.used = 0.0
        """When the last answer came."""
        self.reply: Reply | None = None
        self.after = ""
        self._keep = True
        self._body: list[bytes] = []
        self._parser = httptools.HttpResponseParser(self)

    def read(self) -> bool:
        """Take in what came; False when the connection is at its end, or speaks no HTTP."""
        try:
            while self.reply is None:
                with self.lock:
                    piece = self.sock.recv(PIECE)
                if not piece:
                    return False
                self._parser.feed_data(piece)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return True
        except (OSError, httptools.HttpParserError):
            return False
        return self._keep

    def stirs(self) -> bool:
        """Whether something came that nobody asked for, such as the connection's end."""
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        return bool(poll.poll(0))

    # What the parser calls.

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"retry-after":
            self.after = value.decode("ascii", "replace")

    def on_body(self, piece: bytes) -> None:
        self._body.append(piece)

    def on_message_complete(self) -> None:
        headers = {"retry-after": self.after} if self.after else {}
        self.reply = Reply(self._parser.get_status_code(), headers, b"".join(self._body))
        self._keep = bool(self._parser.should_keep_alive())
        self._body.clear()
        self.after = ""
