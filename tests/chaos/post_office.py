"""The post office: a Telegram over real sockets that knows to a hair when each call arrived.

One thread does everything, so that nothing it sees is out of order: before a 429 is written, all
that has arrived by then is read and stamped.
"""

from __future__ import annotations

import heapq
import json
import selectors
import socket
import threading
import time
from collections import deque
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

from tests.chaos.clerk import Call, Clerk, Limits, Verdict

FIRST_UPDATE = 1000


class Line:
    """One connection, and what has arrived of its next request."""

    def __init__(self, number: int, connection: socket.socket) -> None:
        self.number = number
        self.connection = connection
        self.data = b""
        self.since = 0.0

    def feed(self, data: bytes, now: float) -> None:
        """Bytes arrived; the first of a request says when it came."""
        if not self.data:
            self.since = now
        self.data += data

    def request(self) -> tuple[Call, dict[str, str]] | None:
        """The request, once it is whole."""
        head, end, body = self.data.partition(b"\r\n\r\n")
        if not end:
            return None
        first, *lines = head.decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines)
        if len(body) < int(headers.get("content-length", 0)):
            return None
        self.data = b""
        method = first.split(" ")[1].rpartition("/")[2]
        fields = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        chat, text = fields.get("chat_id", ""), fields.get("text", "")
        return Call(self.number, self.since, method, chat, text), fields


class PostOffice:
    """Serves calls as its clerk decides; `delay` is how long each answer is on its way."""

    def __init__(self, limits: Limits, *, delay: float = 0.0) -> None:
        self.clerk = Clerk(limits, time.monotonic)
        self.delay = delay
        self._updates: deque[dict[str, Any]] = deque()
        self._number = FIRST_UPDATE
        self._lock = threading.Lock()
        self._lines: dict[int, Line] = {}
        self._connections = 0
        self._requests: deque[tuple[Line, Call, dict[str, str]]] = deque()
        self._answers: list[tuple[float, int, Line, Verdict]] = []
        self._polls: list[tuple[Line, float]] = []
        self._selector = selectors.DefaultSelector()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._bell, self._ear = socket.socketpair()
        for heard in (self._listener, self._ear):
            self._selector.register(heard, selectors.EVENT_READ)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._open = True
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def write(self, chat: int, text: str) -> None:
        """Somebody writes to the bot."""
        kind = "supergroup" if chat < 0 else "private"
        person = {"id": abs(chat), "is_bot": False, "first_name": f"P{chat}"}
        facts = {"message_id": 1, "date": int(time.time()), "text": text}
        if text.startswith("/"):
            facts["entities"] = [
                {"type": "bot_command", "offset": 0, "length": len(text.split(maxsplit=1)[0])}
            ]
        message = {**facts, "from": person, "chat": {"id": chat, "type": kind, "title": "T"}}
        with self._lock:
            self._updates.append({"update_id": self._number, "message": message})
            self._number += 1
        self._bell.send(b"!")

    def unconfirmed(self) -> int:
        """How many updates wait."""
        with self._lock:
            return len(self._updates)

    def close(self) -> None:
        """End the thread and every connection."""
        self._open = False
        self._bell.send(b"!")
        self._thread.join(5)
        for end in (self._listener, self._bell, self._ear):
            end.close()
        for line in self._lines.values():
            line.connection.close()
        self._selector.close()

    def _run(self) -> None:
        while self._open:
            self._read(self._patience())
            while self._requests:
                self._decide(*self._requests.popleft())
            self._serve_polls()
            while self._answers and self._answers[0][0] <= time.monotonic():
                _, _, line, verdict = heapq.heappop(self._answers)
                self._answer(line, verdict)

    def _patience(self) -> float:
        ends = [end for _, end in self._polls] + [due for due, *_ in self._answers[:1]]
        return max(0.0, min(ends, default=time.monotonic() + 1) - time.monotonic())

    def _read(self, timeout: float) -> None:
        """Take in all that has arrived, and stamp it."""
        for key, _ in self._selector.select(timeout):
            now = time.monotonic()
            if key.fileobj is self._listener:
                connection, _ = self._listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._connections += 1
                line = Line(self._connections, connection)
                self._lines[line.number] = line
                self._selector.register(connection, selectors.EVENT_READ, line)
            elif key.fileobj is self._ear:
                self._ear.recv(4096)
            else:
                self._hear(key.data, now)

    def _hear(self, line: Line, now: float) -> None:
        try:
            data = line.connection.recv(65536)
        except OSError:
            data = b""
        if not data:
            return self._hang_up(line)
        line.feed(data, now)
        if request := line.request():
            self._requests.append((line, *request))
        return None

    def _decide(self, line: Line, call: Call, fields: dict[str, str]) -> None:
        verdict = self.clerk.judge(call)
        if call.method == "getUpdates" and verdict.status == HTTPStatus.OK:
            self._confirm(int(fields.get("offset", 0)))
            self._polls.append((line, time.monotonic() + int(fields.get("timeout", 0))))
        elif self.delay:
            due = time.monotonic() + self.delay
            heapq.heappush(self._answers, (due, id(verdict), line, verdict))
        else:
            self._answer(line, verdict)

    def _answer(self, line: Line, verdict: Verdict) -> None:
        if verdict.cut:
            return self._hang_up(line)
        if verdict.window:
            self._read(0)
            verdict.window.told = time.monotonic()
        body = json.dumps(verdict.body).encode()
        after = verdict.body.get("parameters", {}).get("retry_after")
        head = f"HTTP/1.1 {verdict.status} {HTTPStatus(verdict.status).phrase}\r\n"
        head += f"Retry-After: {after}\r\n" if after else ""
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        try:
            line.connection.sendall(head.encode() + body)
        except OSError:
            self._hang_up(line)
        return None

    def _confirm(self, offset: int) -> None:
        with self._lock:
            while self._updates and self._updates[0]["update_id"] < offset:
                self._updates.popleft()

    def _serve_polls(self) -> None:
        polls, self._polls = self._polls, []
        for line, end in polls:
            with self._lock:
                updates = list(self._updates)[:100]
            if updates or time.monotonic() >= end:
                self._answer(line, Verdict(200, {"ok": True, "result": updates}))
            else:
                self._polls.append((line, end))

    def _hang_up(self, line: Line) -> None:
        if self._lines.pop(line.number, None):
            self._selector.unregister(line.connection)
            line.connection.close()
            self._polls = [poll for poll in self._polls if poll[0] is not line]
