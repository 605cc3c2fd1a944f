"""The gate: HTTP in front of a Telegram, that fails by method as the real one and its way do."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import BinaryIO
from urllib.parse import parse_qsl

from sandbox.telegram import Telegram

Fault = Callable[[socket.socket, Callable[[], bytes]], bool]
"""Answers one request; it may let Telegram carry the call out. False ends the connection."""


def told(status: str, body: bytes, kind: str = "application/json", promised: int = 0) -> bytes:
    """An answer in HTTP, whole unless more is promised than there is."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {promised or len(body)}"
    return f"{head}\r\n\r\n".encode() + body


def refuse(code: int, description: str) -> Fault:
    """Telegram's own refusal."""
    body = json.dumps({"ok": False, "error_code": code, "description": description}).encode()

    def fault(client: socket.socket, _call: Callable[[], bytes]) -> bool:
        client.sendall(told(f"{code} {description}", body))
        return True

    return fault


def page(status: str) -> Fault:
    """A page of somebody between us and Telegram, whatever its status says."""
    body = b"<html><head><title>Bad Gateway</title></head><body>nginx</body></html>"

    def fault(client: socket.socket, _call: Callable[[], bytes]) -> bool:
        client.sendall(told(status, body, "text/html"))
        return True

    return fault


def cut_text(client: socket.socket, call: Callable[[], bytes]) -> bool:
    """Carry the call out; the answer is whole HTTP around half a JSON."""
    body = call()
    client.sendall(told("200 OK", body[: len(body) // 2]))
    return True


def cut_off(client: socket.socket, call: Callable[[], bytes]) -> bool:
    """Carry the call out; the connection ends in the middle of the answer."""
    body = call()
    client.sendall(told("200 OK", body[: len(body) // 2], promised=len(body)))
    return False


def hang_up(_client: socket.socket, _call: Callable[[], bytes]) -> bool:
    """End the connection instead of an answer."""
    return False


def reset(client: socket.socket, _call: Callable[[], bytes]) -> bool:
    """Tear the connection down instead of an answer."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: when it came, and what for."""

    at: float
    method: str


class Gate:
    """Serves a Telegram; `faults` names a fault by method, or by "*" for all."""

    def __init__(self) -> None:
        self.telegram = Telegram()
        self.faults: dict[str, Fault] = {}
        self.asked: list[Asked] = []
        self._healed = threading.Event()
        self._closed = threading.Event()
        self._healed.set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def fail(self, fault: Fault, *methods: str) -> float:
        """Begin a fault for these methods; gives the moment."""
        self._healed.clear()
        self.faults = dict.fromkeys(methods, fault)
        return time.monotonic()

    def heal(self) -> float:
        """End the fault, and the connections that it held; gives the moment."""
        self.faults = {}
        self._healed.set()
        return time.monotonic()

    def silence(self, _client: socket.socket, _call: Callable[[], bytes]) -> bool:
        """Say nothing while the fault lasts."""
        self._healed.wait()
        return False

    def swallow(self, _client: socket.socket, _call: Callable[[], bytes]) -> bool:
        """Say nothing for ever, also when the fault is over: the way of the answer is lost."""
        self._closed.wait()
        return False

    def drip(self, client: socket.socket, call: Callable[[], bytes]) -> bool:
        """Carry the call out, and answer with one byte a second while the fault lasts."""
        for byte in told("200 OK", call()):
            if self._healed.wait(1.0):
                return False
            client.sendall(bytes([byte]))
        return True

    def close(self) -> None:
        """Take no more connections."""
        self.heal()
        self._closed.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError), client, client.makefile("rb") as requests:
            while self._answer(client, requests):
                pass

    def _answer(self, client: socket.socket, requests: BinaryIO) -> bool:
        first = requests.readline().decode()
        length = 0
        while line := requests.readline().strip():
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        if not first:
            return False
        params = dict(parse_qsl(requests.read(length).decode(), keep_blank_values=True))
        _, token, method = first.split()[1].split("/")
        self.asked.append(Asked(time.monotonic(), method))

        status = 200

        def call() -> bytes:
            nonlocal status
            answer = self.telegram.call(token.removeprefix("bot"), method, params)
            status = answer.status
            return json.dumps(answer.body).encode()

        fault = self.faults.get(method) or self.faults.get("*")
        if fault is not None:
            return fault(client, call)
        body = call()
        client.sendall(told(f"{status} Answered", body))
        return True
