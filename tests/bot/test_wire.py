"""The wire against a server on loopback: bodies, connections, faults, files and TLS."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import cast

import pytest

from bot.form import File, attach
from bot.wire import Ambiguous, CurlWire, NeverSent, check_base
from tests.bot.loopback import (
    OK,
    PEM,
    SECRET_PART,
    TOKEN,
    Server,
    Step,
    answer,
    close,
    fields_of,
    garbage,
    reset,
)
from tests.ports import free_port


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.stop()


@pytest.fixture
def wire(server: Server) -> CurlWire:
    return CurlWire(f"http://127.0.0.1:{server.port}/")


def test_fields_go_into_the_body(server: Server, wire: CurlWire) -> None:
    """The request line holds nothing but the method; the body holds the fields."""
    texts = {"text": "Привет & <b>=мир</b>\n👍", "chat_id": "-100123", "empty": ""}
    reply = wire.exchange(TOKEN, "sendMessage", texts)
    first, headers, _ = server.requests[0]
    assert (reply.status, reply.body) == (200, OK)
    assert first == f"POST /bot{TOKEN.reveal()}/sendMessage HTTP/1.1"
    assert headers["content-type"] == "application/x-www-form-urlencoded"
    assert "expect" not in headers
    assert fields_of(server) == {name: [text] for name, text in texts.items()}


def test_a_call_without_fields(server: Server, wire: CurlWire) -> None:
    """A method without parameters is an empty body."""
    assert wire.exchange(TOKEN, "getMe", {}).status == 200
    assert server.requests[0][2] == b""


def test_an_odd_method_name_is_refused(wire: CurlWire) -> None:
    """A method name cannot change the address of the request."""
    with pytest.raises(ValueError, match="is not the name of a method"):
        wire.exchange(TOKEN, "../getMe", {})


# Connections


def test_the_connection_is_kept(server: Server, wire: CurlWire) -> None:
    """Many calls of one thread share one connection; each answer is its own."""
    server.plan = [answer(str(number).encode()) for number in range(20)]
    bodies = [wire.exchange(TOKEN, "getMe", {}).body for _ in range(20)]
    assert bodies == [str(number).encode() for number in range(20)]
    assert server.connections == 1


def test_each_thread_has_its_own_connection(server: Server, wire: CurlWire) -> None:
    """A long poll in one thread does not hold back another's calls."""
    wire.exchange(TOKEN, "getMe", {})
    thread = threading.Thread(target=wire.exchange, args=(TOKEN, "getMe", {}))
    thread.start()
    thread.join(5)
    assert server.connections == 2


def test_a_connection_closed_while_idle_is_replaced(server: Server, wire: CurlWire) -> None:
    """What the server closed before the request is no fault: the call goes over a new one."""

    def answer_and_close(connection: socket.socket) -> bool:
        answer()(connection)
        return False

    server.plan = [answer_and_close] * 5
    for number in range(5):
        server.closed.clear()
        assert wire.exchange(TOKEN, "sendMessage", {"text": str(number)}).status == 200
        assert server.closed.wait(5)
    assert [fields_of(server, number)["text"] for number in range(5)] == [
        [str(number)] for number in range(5)
    ]


def test_a_request_is_never_repeated_in_secret(server: Server, wire: CurlWire) -> None:
    """A used connection that is closed instead of answered: one request, and it is said."""
    server.plan = [answer(), close]
    wire.exchange(TOKEN, "sendMessage", {"text": "1"})
    with pytest.raises(Ambiguous):
        wire.exchange(TOKEN, "sendMessage", {"text": "2"})
    assert len(server.requests) == 2
    assert wire.exchange(TOKEN, "sendMessage", {"text": "3"}).status == 200
    assert len(server.requests) == 3


# Faults


def test_nothing_listens(wire: CurlWire) -> None:
    """A refused connection: nothing was sent."""
    with pytest.raises(NeverSent, match="Telegram was not reached"):
        CurlWire(f"http://127.0.0.1:{free_port()}").exchange(TOKEN, "sendMessage", {})


def test_no_such_host() -> None:
    """A name that does not resolve: nothing was sent."""
    with pytest.raises(NeverSent):
        CurlWire("http://nowhere.invalid").exchange(TOKEN, "getMe", {}, timeout=(0.2, 0.1))


def test_a_connection_that_is_not_accepted() -> None:
    """A connect that hangs ends after its time, and nothing was sent."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        fill = [socket.socket() for _ in range(4)]
        for each in fill:
            each.setblocking(False)
            each.connect_ex(("127.0.0.1", port))
        with pytest.raises(NeverSent):
            CurlWire(f"http://127.0.0.1:{port}").exchange(TOKEN, "getMe", {}, timeout=(0.1, 0.1))
        for each in fill:
            each.close()


@pytest.mark.parametrize("fault", [close, reset, garbage, answer(OK, promised=500)])
def test_an_answer_that_does_not_come_whole(server: Server, wire: CurlWire, fault: Step) -> None:
    """Closed, reset, no HTTP, half an answer: the request may have been carried out."""
    server.plan = [fault]
    with pytest.raises(Ambiguous, match="no answer from Telegram"):
        wire.exchange(TOKEN, "sendMessage", {"text": "x"})
    assert len(server.requests) == 1


def test_an_answer_that_never_comes(server: Server, wire: CurlWire) -> None:
    """Silence ends after the read time, and the request may have been carried out."""
    server.plan = [server.say_nothing]
    with pytest.raises(Ambiguous):
        wire.exchange(TOKEN, "sendMessage", {"text": "x"}, timeout=(0.05, 0.05))


def test_a_redirect_is_not_followed(server: Server, wire: CurlWire) -> None:
    """The token goes to no other address: a redirect is an answer like any other."""
    server.plan = [answer(b"", "302 Found", f"Location: http://127.0.0.1:{server.port}/x\r\n")]
    assert wire.exchange(TOKEN, "getMe", {}).status == 302
    assert len(server.requests) == 1


def test_retry_after_is_kept(server: Server, wire: CurlWire) -> None:
    """The header of a 429 comes with the reply, for answers whose body does not say."""
    server.plan = [answer(b"{}", "429 Too Many Requests", "Retry-After: 7\r\n")]
    reply = wire.exchange(TOKEN, "sendMessage", {})
    assert (reply.status, reply.headers) == (429, {"retry-after": "7"})


# Files


def parts_of(server: Server, number: int = -1) -> dict[str, tuple[str | None, bytes]]:
    """The parts of a multipart body by field: the file's name, if any, and the content."""
    _, headers, body = server.requests[number]
    message = message_from_bytes(f"Content-Type: {headers['content-type']}\r\n\r\n".encode() + body)
    parts = cast("list[Message]", message.get_payload())
    return {
        str(part.get_param("name", header="content-disposition")): (
            part.get_filename(),
            cast("bytes", part.get_payload(decode=True)),
        )
        for part in parts
    }


def test_files_go_as_multipart(server: Server, wire: CurlWire, tmp_path: Path) -> None:
    """Bytes and open files arrive whole beside the fields, also when sent a second time."""
    path = tmp_path / "photo.png"
    path.write_bytes(b"skipped" + bytes(range(256)) * 2000)
    with path.open("rb") as photo:
        photo.seek(7)
        files = attach({"photo": photo, "thumb": b"\r\nsmall", "doc": ('a"\r\n.txt', b"x")})
        for _ in range(2):
            assert wire.exchange(TOKEN, "sendPhoto", {"caption": "Да"}, files).status == 200
    for number in (0, 1):
        parts = parts_of(server, number)
        assert parts["caption"] == (None, "Да".encode())
        assert parts["photo"] == ("photo.png", bytes(range(256)) * 2000)
        assert parts["thumb"] == ("thumb", b"\r\nsmall")
        assert parts["doc"] == ("a%22%0D%0A.txt", b"x")
    assert server.connections == 1


def test_downloads(server: Server, wire: CurlWire) -> None:
    """A file is fetched by its path, over a GET without a body, between uploads."""
    server.plan = [answer(b"data"), answer(), answer(b"more")]
    assert wire.fetch(TOKEN, "photos/file 1.jpg").body == b"data"
    wire.exchange(TOKEN, "sendPhoto", {}, {"photo": File("p", b"1")})
    assert wire.fetch(TOKEN, "/x").body == b"more"
    lines = [first for first, _, _ in server.requests]
    assert lines[0] == f"GET /file/bot{TOKEN.reveal()}/photos/file%201.jpg HTTP/1.1"
    assert lines[2] == f"GET /file/bot{TOKEN.reveal()}/x HTTP/1.1"


def test_a_file_path_cannot_climb(wire: CurlWire) -> None:
    """A path with '..' could name a method instead of a file."""
    with pytest.raises(ValueError, match=r"must not contain '\.\.'"):
        wire.fetch(TOKEN, "../../bot1:x/logOut")


# Where the token may go


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://api.telegram.org", "unencrypted"),
        ("http://API.Telegram.ORG:80/", "unencrypted"),
        ("ftp://127.0.0.1", "not a base URL"),
        ("https://", "not a base URL"),
        ("https://host/?x=1", "not a base URL"),
        ("https://héh.example", "punycode"),
    ],
)
def test_an_unfit_base_url_is_refused(url: str, said: str) -> None:
    """The token goes unencrypted to no server of Telegram's, and a broken URL is said."""
    with pytest.raises(ValueError, match=said):
        CurlWire(url)


def test_fit_base_urls() -> None:
    """Telegram over TLS, and a server of one's own, are fit."""
    assert check_base("https://api.telegram.org/") == "https://api.telegram.org"
    assert check_base("http://bot-api:8081") == "http://bot-api:8081"


def test_a_known_authority_is_trusted(server: Server) -> None:
    """TLS works with a certificate that the given authorities vouch for."""
    server.tls = True
    wire = CurlWire(f"https://127.0.0.1:{server.port}", ca_file=PEM)
    assert wire.exchange(TOKEN, "getMe", {}).body == OK


def test_a_stranger_s_certificate_is_refused(server: Server) -> None:
    """With the public authorities a self-made certificate ends the call before anything is sent."""
    server.tls = True
    with pytest.raises(NeverSent):
        CurlWire(f"https://127.0.0.1:{server.port}").exchange(TOKEN, "getMe", {})
    assert server.requests == []


def test_the_name_in_the_certificate_counts(server: Server) -> None:
    """A certificate for another host is refused."""
    server.tls = True
    wire = CurlWire(f"https://localhost:{server.port}", ca_file=PEM)
    with pytest.raises(NeverSent):
        wire.exchange(TOKEN, "getMe", {})


def test_a_proxy_is_used_for_https_alone(
    server: Server, wire: CurlWire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HTTPS_PROXY is honoured, and sees no token; a plain server is called directly."""
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{server.port}")
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    server.plan = [answer(b"", "502 Bad Gateway")]
    with pytest.raises((NeverSent, Ambiguous)):
        CurlWire("https://api.telegram.org").exchange(TOKEN, "getMe", {})
    assert server.requests[0][0] == "CONNECT api.telegram.org:443 HTTP/1.1"
    assert SECRET_PART not in repr(server.requests)
    assert wire.exchange(TOKEN, "getMe", {}).status == 200
