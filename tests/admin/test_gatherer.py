"""A request that comes in pieces: when it is whole, and when it is let through anyway."""

from __future__ import annotations

import pytest

from admin.bounds import BODY
from admin.gatherer import HEAD, Arrival

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-length: 7\r\n\r\na=b&c=d"
CHUNKED = b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n3\r\na=b\r\n0\r\n\r\n"


@pytest.mark.parametrize("request_", [GET, POST, CHUNKED], ids=["head", "body", "chunks"])
@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_a_request_is_whole_with_its_last_byte(request_: bytes, size: int) -> None:
    """However it was cut on the way."""
    arrival = Arrival()
    for place in range(0, len(request_), size):
        assert not arrival.is_whole()
        arrival.add(request_[place : place + size])
    assert arrival.is_whole() and bytes(arrival.bytes) == request_


def test_what_came_with_the_one_before_is_its_beginning() -> None:
    """Two requests in one piece: the second is there already, or half of it is."""
    assert Arrival(GET).is_whole()
    assert not Arrival(POST[:-1]).is_whole()


@pytest.mark.parametrize(
    "begun",
    [
        f"POST / HTTP/1.1\r\nContent-Length: {BODY + 1}\r\n\r\n".encode(),
        b"POST / HTTP/1.1\r\nContent-Length: none\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"x" * (HEAD + 1),
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + b"x" * (HEAD + BODY),
    ],
    ids=["large", "no length", "nonsense", "long head", "long chunks"],
)
def test_what_is_refused_anyway_is_not_waited_for(begun: bytes) -> None:
    """Nobody fills the memory with what nobody will read."""
    assert Arrival(begun).is_whole()


def test_a_body_that_is_held_back_is_asked_for_once() -> None:
    """Whoever waits for "100 Continue" gets it when the head is there."""
    arrival = Arrival(b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
    assert not arrival.is_whole()
    assert (arrival.is_held_back(), arrival.is_held_back()) == (True, False)
    arrival.add(b"abc")
    assert arrival.is_whole()
    assert not Arrival(POST).is_held_back()
