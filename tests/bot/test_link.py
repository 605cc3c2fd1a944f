"""A link's answers at the wire: each call gets its own, whatever else a server says, and when."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from bot.courier import Courier
from bot.wire import Ambiguous, Reply
from tests.bot.loopback import OK, PEM, Server, Step, answer
from tests.bot.test_courier import Heard, ask, listen, post, status, wait_for

NO = b'{"ok":false}'
HUGE = "x" * 16_000_000
"""More than the buffers of a connection on loopback take."""


def raw(*pieces: bytes, keep: bool = True) -> Step:
    """Say just this, with a breath between the pieces."""

    def step(link: socket.socket) -> bool:
        for piece in pieces:
            link.sendall(piece)
            time.sleep(0.05)
        return keep

    return step


def whole(body: bytes, line: str = "200 OK", head: str = "") -> bytes:
    return f"HTTP/1.1 {line}\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def serve_one(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(whole(OK))


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.stop()


@pytest.fixture
def courier(server: Server) -> Iterator[Courier]:
    courier = Courier(f"http://127.0.0.1:{server.port}")
    yield courier
    courier.close()


@pytest.mark.parametrize("line", ["100 Continue", "103 Early Hints"])
@pytest.mark.parametrize("apart", [True, False])
def test_a_word_on_the_way_is_no_answer(
    server: Server, courier: Courier, line: str, apart: bool
) -> None:
    """The answer after it is the call's, and the next call gets its own."""
    word, last = f"HTTP/1.1 {line}\r\nRetry-After: 3\r\n\r\n".encode(), whole(NO, "400 Bad")
    server.plan = [raw(word, last) if apart else raw(word + last), answer(NO, "429 Many")]
    assert [ask(courier), ask(courier)] == [Reply(400, {}, NO), Reply(429, {}, NO)]
    assert server.connections == 1


@pytest.mark.parametrize("head", ["Upgrade: x\r\nConnection: Upgrade\r\n", ""])
def test_a_change_of_protocol_breaks_the_link(server: Server, courier: Courier, head: str) -> None:
    """Its call is in doubt, and the next one goes over another connection."""
    server.plan = [raw(f"HTTP/1.1 101 Switching Protocols\r\n{head}\r\n".encode())]
    assert isinstance(ask(courier), Ambiguous)
    assert status(ask(courier)) == 200 and server.connections == 2


@pytest.mark.parametrize("surplus", [whole(NO, "400 Bad"), b"HTTP/1.1 400 B", b"H", b"odd"])
def test_what_follows_an_answer_breaks_the_link(
    server: Server, courier: Courier, surplus: bytes
) -> None:
    """The answer counts, and nothing of the rest reaches the next call."""
    server.plan = [raw(whole(OK) + surplus), answer(NO, "429 Many")]
    assert [ask(courier), ask(courier)] == [Reply(200, {}, OK), Reply(429, {}, NO)]
    assert server.connections == 2


def test_an_answer_too_many_is_not_the_next_call_s(server: Server, courier: Courier) -> None:
    """It came on the idle link a moment ago, and nobody listened since."""
    server.plan = [raw(whole(OK), whole(OK)), answer(NO, "429 Many")]
    assert status(ask(courier)) == 200
    wait_for(courier._idle[0].stirs)
    assert ask(courier) == Reply(429, {}, NO) and server.connections == 2


@pytest.mark.parametrize("version", ["HTTP/1.1 200 OK\r\nConnection: close", "HTTP/1.0 200 OK"])
def test_an_answer_may_end_with_its_connection(
    server: Server, courier: Courier, version: str
) -> None:
    """Without a length or chunks the end makes it whole; the request is not in doubt."""
    server.plan = [raw(f"{version}\r\n\r\n".encode(), OK, keep=False)]
    assert ask(courier) == Reply(200, {}, OK)
    assert status(ask(courier)) == 200 and server.connections == 2


@pytest.mark.parametrize(
    "cut",
    [
        b"HTTP/1.1 200 OK\r\nX: y\r\n",
        b"HTTP/1.1 103 Early\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n" + OK,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
    ],
)
def test_a_cut_is_no_end(server: Server, courier: Courier, cut: bytes) -> None:
    """Of an answer that lacks something its call is in doubt."""
    server.plan = [raw(cut, keep=False)]
    assert isinstance(ask(courier), Ambiguous)


@pytest.mark.parametrize("clean", [True, False])
def test_over_tls_only_its_own_end_counts(clean: bool) -> None:
    """Anyone on the way can cut a connection; only the server can say that it is the end."""
    server = Server()
    server.tls = True

    def step(link: socket.socket) -> bool:
        link.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + OK)
        if clean:
            getattr(link, "unwrap")()  # noqa: B009 - it is a TLS socket here
        else:
            os.close(link.detach())
        return False

    server.plan = [step]
    courier = Courier(f"https://127.0.0.1:{server.port}", ca_file=PEM)
    server.closed.clear()
    heard = post(courier)
    listen(courier, lambda: heard)
    assert isinstance(heard[0], Reply if clean else Ambiguous)
    courier.close()
    server.stop()


@pytest.mark.parametrize("head", ["", "Connection: close\r\n"])
def test_an_answer_that_comes_early_ends_the_link(head: str) -> None:
    """The writer learns of it at once, and the next call goes over another connection."""
    listener = socket.create_server(("127.0.0.1", 0))
    courier = Courier(f"http://127.0.0.1:{listener.getsockname()[1]}")
    heard: Heard = []
    writer = threading.Thread(target=post, args=(courier, HUGE, heard), daemon=True)
    writer.start()
    server, _ = listener.accept()
    server.recv(1000)
    time.sleep(0.2)  # until it is stuck
    server.sendall(whole(NO, "413 Too Large", head))
    listen(courier, lambda: heard)
    writer.join(2)
    assert not writer.is_alive() and heard == [Reply(413, {}, NO)]
    assert not courier._idle and len(courier.busy) == 0
    threading.Thread(target=serve_one, args=(listener,), daemon=True).start()
    assert status(ask(courier)) == 200
    courier.close()
    for end in (server, listener):
        end.close()
