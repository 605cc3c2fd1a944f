"""A link's answers at the wire: each call gets its own, whatever else a server says, and when."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.courier import Courier
from bot.link import HEADS, Link
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


class Forgetful(dict[bytes, int]):
    """A memory of heads that keeps none: the parser looks at every answer."""

    def __setitem__(self, head: bytes, size: int) -> None:
        """Keep nothing."""


def said(heads: dict[bytes, int], pieces: list[bytes]) -> list[tuple[bool, Reply | None]]:
    """What a link makes of pieces that come one by one, each time something was asked."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    link, seen = Link(ours, heads), []
    with ours, theirs:
        for piece in pieces:
            link.asked = True
            theirs.sendall(piece)
            keep = link.read()
            seen.append((keep, link.reply))
            if not keep:
                break
            link.reply = None
    return seen


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
ANSWERS = [
    whole(OK),
    whole(NO),
    whole(NO, "400 Bad"),
    whole(OK, head="Retry-After: 5\r\n"),
    whole(OK, head="Connection: close\r\n"),
    whole(b""),
    whole(whole(OK)),
    whole(OK) + b"H",
    whole(OK) + whole(NO),
    b"HTTP/1.1 100 Continue\r\n\r\n" + whole(OK),
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n" % len(OK)
    + OK
    + b"\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n\r\n" + OK,
    b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % len(OK) + OK,
    b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\nCONTENT-TYPE: a\r\n\r\n" % len(OK) + OK,
]


@given(
    answers=st.lists(st.sampled_from(ANSWERS), max_size=8),
    cuts=st.lists(st.integers(1, 500), max_size=4),
)
@settings(max_examples=300, deadline=None)
def test_a_head_that_came_before_changes_nothing(answers: list[bytes], cuts: list[int]) -> None:
    """An answer that is recognised is the one that the parser would have read, however it comes."""
    heads: dict[bytes, int] = {}
    for one in ANSWERS:  # all of them were heard before, each over a link of its own
        said(heads, [one])
    assert said(heads, answers) == said(Forgetful(), answers)
    late = [whole(b"")[:-4], b"\r\nX: y\r\n\r\n"]  # a head that goes on after it seemed whole
    assert said(heads, late) == said(Forgetful(), late)
    stream, places = b"".join(answers), [0, *accumulate(cuts)]
    pieces = [stream[begin:end] for begin, end in zip(places, [*places[1:], None])]
    pieces = [piece for piece in pieces if piece]
    assert said(heads, pieces) == said(Forgetful(), pieces)


def test_few_heads_are_remembered() -> None:
    """Only those of good answers whose length they tell, and no more than there is room for."""
    heads: dict[bytes, int] = {}
    for one in ANSWERS:
        said(heads, [one])
    assert sorted(heads.values()) == [len(NO), len(OK), len(OK), len(whole(OK))]
    for number in range(3 * HEADS):
        said(heads, [whole(OK, head=f"Date: {number}\r\n")])
    assert 0 < len(heads) <= HEADS
