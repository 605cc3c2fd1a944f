"""A link: one connection to Telegram, kept open, and the answer that comes over it."""

from __future__ import annotations

import re
import select
import socket
import ssl
import threading
from contextlib import suppress

import httptools

from bot.wire import Reply

PIECE = 65536
"""Bytes that are read at once."""
HEADS = 64
"""Heads of answers that are remembered."""
_SIZED = re.compile(rb"\ncontent-length:", re.IGNORECASE)
_ODD = re.compile(rb"\ntransfer-", re.IGNORECASE)


class Link:
    """One connection, kept open; it carries one call at a time."""

    __slots__ = (
        "_between",
        "_body",
        "_heads",
        "_keep",
        "_look",
        "_open_ended",
        "_parser",
        "_sized",
        "_strayed",
        "after",
        "asked",
        "due",
        "lock",
        "reply",
        "sock",
        "used",
        "writing",
    )

    def __init__(self, sock: socket.socket, heads: dict[bytes, int] | None = None) -> None:
        """`heads` is what links to one place remember together: see `_recognise`."""
        self.sock = sock
        self._heads = {} if heads is None else heads
        self._between = True
        """Whether the parser has seen whole answers only."""
        self.lock = threading.Lock()
        """OpenSSL cannot read and write one connection at once."""
        self.due = 0.0
        """When the answer is late."""
        self.used = 0.0
        """When the last answer came."""
        self.reply: Reply | None = None
        self.after = ""
        self.asked = False
        """Whether some of a request went out whose answer did not come yet."""
        self.writing = False
        """Whether a thread is at writing a request; the last piece of it ends that."""
        self._strayed = False
        self._keep = True
        self._sized = self._open_ended = False
        self._look = select.poll()
        self._look.register(sock, select.POLLIN)
        self._body: list[bytes] = []
        self._parser = httptools.HttpResponseParser(self)

    def read(self) -> bool:
        """Take in what came; False when the connection can carry no further call."""
        early = False
        try:
            while self.reply is None:
                with self.lock:
                    piece = self.sock.recv(PIECE)
                    self._strayed = self._strayed or not self.asked
                    early = self.writing
                if self._strayed:  # the next answer may be another call's as well
                    return False
                if not piece:
                    if self._open_ended:
                        self.on_message_complete()
                    return False
                if not (self._between and self._recognise(piece)):
                    self._parser.feed_data(piece)
                    self._remember(piece)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return True
        except (OSError, httptools.HttpParserError, httptools.HttpParserUpgrade):
            return False
        return self._keep and not early  # the rest of a request would be taken for the next one

    def stirs(self) -> bool:
        """Whether something came that nobody asked for, such as the connection's end."""
        return bool(self._look.poll(0)) or self._strayed

    def close(self) -> None:
        """Close it; one that is being written is only ended, which its writer learns at once."""
        with self.lock:
            if not self.writing:
                return self.sock.close()
            with suppress(OSError):  # TLS's own would go on in plain text
                socket.socket.shutdown(self.sock, socket.SHUT_RDWR)

    def _recognise(self, piece: bytes) -> bool:
        """Take a whole answer whose head came before; False for the parser to look at it.

        Servers say the same of each good answer, for as long as their clock shows the same second.
        """
        head, _, body = piece.partition(b"\r\n\r\n")
        if self._heads.get(head) != len(body):
            return False
        self.reply = Reply(200, {}, body)
        return True

    def _remember(self, piece: bytes) -> None:
        """Remember the head of a whole good answer: it alone says how long the body is."""
        reply, (head, _, body) = self.reply, piece.partition(b"\r\n\r\n")
        good = reply is not None and (reply.status, reply.headers, reply.body) == (200, {}, body)
        good = good and body != b"" and self._keep and head.startswith(b"HTTP/1.1 200 ")
        if good and _SIZED.search(head) and not _ODD.search(head):
            if len(self._heads) >= HEADS:
                self._heads.clear()
            self._heads[head] = len(body)

    # What the parser calls.

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name == b"retry-after":
            self.after = value.decode("ascii", "replace")
        elif name in (b"content-length", b"transfer-encoding"):
            self._sized = True

    def on_message_begin(self) -> None:
        self._between = False
        if self.reply is not None:  # an answer too many
            self._keep = False

    def on_headers_complete(self) -> None:
        self._open_ended = not self._sized

    def on_body(self, piece: bytes) -> None:
        self._body.append(piece)

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        if self.reply is None and status >= 200:  # below, it is only a word on the way
            headers = {"retry-after": self.after} if self.after else {}
            self.reply = Reply(status, headers, b"".join(self._body))
            self._keep = bool(self._parser.should_keep_alive())
            self._between = True
        self._body.clear()
        self.after = ""
        self._sized = self._open_ended = False
