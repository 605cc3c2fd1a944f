"""A fake Bot API for load: one thread, raw sockets, epoll, answers made beforehand.

It stands in for Telegram where a bot's speed is measured: numbered messages out, replies in, with
the one rule that matters kept: only a higher offset confirms an update. Every reply names the
number of its update, in whatever encoding the library sends it, so that each can be timed.
"""

from __future__ import annotations

import json
import re
import select
import socket
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

FIRST_CHAT = 10_000_001
LONG_POLL = 20.0

_METHOD = re.compile(rb"[A-Z]+ [^ ?]*/(\w+)")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)
_OFFSET = re.compile(rb'offset(?:=|": *|"\r\n\r\n|"\r\n[^{]*?\r\n\r\n)(-?\d+)')
_LIMIT = re.compile(rb'limit(?:=|": *|"\r\n\r\n|"\r\n[^{]*?\r\n\r\n)(\d+)')
_NUMBER = re.compile(rb"echo(\d{7})|%65%63%68%6f((?:%3\d){7})")

ME = {
    "id": 123456789,
    "is_bot": True,
    "first_name": "Bench",
    "username": "bench_bot",
    "can_join_groups": True,
    "can_read_all_group_messages": False,
    "supports_inline_queries": False,
}


def answer(result: bytes, status: bytes = b"200 OK") -> bytes:
    """A whole HTTP answer."""
    return (
        b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nConnection: keep-alive\r\n"
        b"Content-Length: %d\r\n\r\n%b" % (status, len(result), result)
    )


TRUE = answer(b'{"ok":true,"result":true}')
GET_ME = answer(json.dumps({"ok": True, "result": ME}).encode())
CONFLICT = answer(
    b'{"ok":false,"error_code":409,"description":"Conflict: terminated by other getUpdates'
    b' request; make sure that only one bot instance is running"}',
    b"409 Conflict",
)


def update(number: int, chats: int) -> bytes:
    """One text message; the sender and the chat follow from its number."""
    chat = FIRST_CHAT + number % chats
    person = {
        "id": chat,
        "is_bot": False,
        "first_name": f"Person {chat}",
        "username": f"person_{chat}",
        "language_code": "en",
    }
    message = {
        "message_id": number,
        "from": person,
        "date": int(time.time()),
        "chat": {
            "id": chat,
            "first_name": person["first_name"],
            "type": "private",
            "username": person["username"],
        },
        "text": f"echo{number:07d} and a few words more",
    }
    return json.dumps({"update_id": number, "message": message}, separators=(",", ":")).encode()


@dataclass(slots=True, eq=False)
class Connection:
    """One client's socket, and what came of a request so far."""

    sock: socket.socket
    data: bytes = b""


@dataclass(slots=True)
class Phase:
    """One stretch of a run: what is sent, and what came back."""

    count: int
    rate: float = 0.0
    """Updates a second; 0 gives all of them at once."""
    delay: float = 0.0
    """Seconds between a sendMessage and its answer."""
    limit: float = 60.0
    """Seconds after which the phase ends, whatever is missing."""
    first: int = 0
    started: float = 0.0
    replied: dict[int, float] = field(default_factory=dict)
    doubled: int = 0
    busy: float = 0.0
    """The share of its core that the server needed."""

    @property
    def seconds(self) -> float:
        """From the start to the last reply."""
        return max(self.replied.values(), default=self.started) - self.started

    @property
    def latencies(self) -> list[float]:
        """From the moment an update was there to the answer of its reply, in order of size."""
        every = 1 / self.rate if self.rate else 0.0
        return sorted(
            at + self.delay - self.started - (number - self.first) * every
            for number, at in self.replied.items()
        )


class Server:
    """The fake Bot API; `play` runs one phase and gives it back."""

    def __init__(self, chats: int = 1000) -> None:
        self.chats = chats
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]
        self._epoll = select.epoll()
        self._epoll.register(self._listener.fileno(), select.EPOLLIN)
        self._connections: dict[int, Connection] = {}
        self._open: deque[tuple[int, bytes]] = deque()
        """Updates that are there and not confirmed."""
        self._coming: deque[tuple[float, int, bytes]] = deque()
        self._held: tuple[float, Connection, int] | None = None
        """The poll that waits: until when, whose, and how many it takes."""
        self._late: deque[tuple[float, Connection, bytes]] = deque()
        self._sent = [
            answer(
                b'{"ok":true,"result":{"message_id":1,"date":1700000000,"chat":{"id":%d,'
                b'"type":"private","first_name":"Person"},"text":"A reply."}}' % (FIRST_CHAT + chat)
            )
            for chat in range(chats)
        ]
        self._next = 1
        self._phase = Phase(0)
        self.calls: dict[bytes, int] = {}
        """How often each method was called."""

    def play(self, phase: Phase, *, alive: Callable[[], bool] = lambda: True) -> Phase:
        """Give out the updates of a phase until all are answered, or its time is over."""
        phase.first = self._next
        self._next += phase.count
        made = [(n, update(n, self.chats)) for n in range(phase.first, self._next)]
        self._phase = phase
        every = 1 / phase.rate if phase.rate else 0.0
        used, phase.started = time.process_time(), time.monotonic()
        for place, (number, text) in enumerate(made):
            self._coming.append((phase.started + place * every, number, text))
        while len(phase.replied) < phase.count:
            at = time.monotonic()
            if at - phase.started > phase.limit or not alive():
                break
            self._turn(at)
        phase.busy = (time.process_time() - used) / max(1e-9, time.monotonic() - phase.started)
        return phase

    def idle(self, seconds: float) -> None:
        """Serve for a while without anything new."""
        until = time.monotonic() + seconds
        while (at := time.monotonic()) < until:
            self._turn(at)

    def close(self) -> None:
        """Close every socket."""
        for connection in self._connections.values():
            connection.sock.close()
        self._epoll.close()
        self._listener.close()

    def _turn(self, at: float) -> None:
        """Serve what is due and what came."""
        while self._coming and self._coming[0][0] <= at:
            _, number, text = self._coming.popleft()
            self._open.append((number, text))
        if self._held and (self._open or self._held[0] <= at):
            _, connection, limit = self._held
            self._held = None
            self._send(connection, self._updates(limit))
        while self._late and self._late[0][0] <= at:
            _, late, ready = self._late.popleft()
            self._send(late, ready)
        due = [queue[0][0] for queue in (self._coming, self._late) if queue]
        wait = min([0.05, *(max(0.0, when - at) for when in due)])
        for number, _ in self._epoll.poll(int(wait * 1000) / 1000):  # the last one is spun away
            if client := self._connections.get(number):
                self._read(client)
            else:
                self._accept()

    def _accept(self) -> None:
        try:
            sock, _ = self._listener.accept()
        except BlockingIOError:
            return
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connections[sock.fileno()] = Connection(sock)
        self._epoll.register(sock.fileno(), select.EPOLLIN)

    def _drop(self, connection: Connection) -> None:
        self._connections.pop(connection.sock.fileno(), None)
        if self._held and self._held[1] is connection:
            self._held = None
        connection.sock.close()

    def _send(self, connection: Connection, ready: bytes) -> None:
        try:
            while ready:
                ready = ready[connection.sock.send(ready) :]
        except BlockingIOError:  # a whole batch of updates at once: wait for the reader
            connection.sock.setblocking(True)
            connection.sock.sendall(ready)
            connection.sock.setblocking(False)
        except OSError:
            self._drop(connection)

    def _read(self, connection: Connection) -> None:
        try:
            came = connection.sock.recv(65536)
        except BlockingIOError:
            return None
        except OSError:
            came = b""
        if not came:
            return self._drop(connection)
        data = connection.data + came if connection.data else came
        while (end := _end(data)) > 0:
            self._serve(connection, data[:end])
            data = data[end:]
        connection.data = data

    def _serve(self, connection: Connection, request: bytes) -> None:
        found = _METHOD.match(request)
        method = found[1] if found else b""
        self.calls[method] = self.calls.get(method, 0) + 1
        if method == b"sendMessage":
            self._reply(connection, request)
        elif method == b"getUpdates":
            self._poll(connection, request)
        else:
            self._send(connection, GET_ME if method == b"getMe" else TRUE)

    def _reply(self, connection: Connection, request: bytes) -> None:
        number, phase = 0, self._phase
        if found := _NUMBER.search(request):
            number = int(found[1] or found[2][2::3])
        if number in phase.replied:
            phase.doubled += 1
        elif number >= phase.first:
            phase.replied[number] = time.monotonic()
        ready = self._sent[number % self.chats]
        if phase.delay:
            self._late.append((time.monotonic() + phase.delay, connection, ready))
        else:
            self._send(connection, ready)

    def _poll(self, connection: Connection, request: bytes) -> None:
        if self._held:
            self._send(self._held[1], CONFLICT)
            self._held = None
        if found := _OFFSET.search(request):
            offset = int(found[1])
            while self._open and self._open[0][0] < offset:
                self._open.popleft()
        given = _LIMIT.search(request)
        limit = min(100, int(given[1])) if given else 100
        if self._open:
            self._send(connection, self._updates(limit))
        else:
            self._held = (time.monotonic() + LONG_POLL, connection, limit)

    def _updates(self, limit: int) -> bytes:
        """The oldest updates that are not confirmed, once more if need be."""
        batch = [text for _, (_, text) in zip(range(limit), self._open)]
        return answer(b'{"ok":true,"result":[%b]}' % b",".join(batch))


def _end(data: bytes) -> int:
    """Where the first request in the data ends; 0 when it is not whole."""
    head = data.find(b"\r\n\r\n") + 4
    if head < 4:
        return 0
    if found := _LENGTH.search(data, 0, head):
        end = head + int(found[1])
        return end if end <= len(data) else 0
    if _CHUNKED.search(data, 0, head):
        return data.find(b"0\r\n\r\n", head) + 5 if data.find(b"0\r\n\r\n", head) >= 0 else 0
    return head
