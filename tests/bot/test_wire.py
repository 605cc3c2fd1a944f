"""The wire against a server on loopback: bodies, faults, TLS, and where the token is not."""

from __future__ import annotations

import io
import json
import socket
import ssl
import struct
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from email import message_from_bytes
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs

import pytest

from bot.form import File, Multipart, attach, encode, form
from bot.wire import Ambiguous, CurlWire, NeverSent, check_base
from settings import Secret

SECRET_PART = "AAxPlainTokenThatNobodyMaySee_0123456"
TOKEN = Secret(f"123456789:{SECRET_PART}")
PEM = str(Path(__file__).parent / "loopback.pem")
OK = b'{"ok":true,"result":true}'

Step = Callable[[socket.socket], bool]
"""What the server does with one request; False ends the connection."""


def answer(body: bytes = OK, status: str = "200 OK", head: str = "", promised: int = 0) -> Step:
    def step(connection: socket.socket) -> bool:
        length = promised or len(body)
        top = f"HTTP/1.1 {status}\r\n{head}Content-Length: {length}\r\n\r\n"
        connection.sendall(top.encode() + body)
        return not promised

    return step


def close(_connection: socket.socket) -> bool:
    return False


def reset(connection: socket.socket) -> bool:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False


def garbage(connection: socket.socket) -> bool:
    connection.sendall(b"this is not HTTP\r\n\r\n")
    return False


class Server:
    """Keeps every request and answers by a plan, one step a request; the plan's end is OK."""

    def __init__(self) -> None:
        self.plan: list[Step] = []
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.connections = 0
        self.closed = threading.Event()
        self.silent = threading.Event()
        self.tls = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        self.silent.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def say_nothing(self, _connection: socket.socket) -> bool:
        self.silent.wait(5)
        return False

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            if self.tls:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(PEM)
                connection = context.wrap_socket(connection, server_side=True)
            while self._read(connection):
                step = self.plan.pop(0) if self.plan else answer()
                if not step(connection):
                    break
        except OSError:
            pass
        finally:
            connection.close()
            self.closed.set()

    def _read(self, connection: socket.socket) -> bool:
        data = b""
        while b"\r\n\r\n" not in data:
            piece = connection.recv(65536)
            if not piece:
                return False
            data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ") for line in lines)}
        while len(body) < int(headers.get("content-length", 0)):
            body += connection.recv(65536)
        self.requests.append((first, headers, body))
        return True


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.stop()


@pytest.fixture
def wire(server: Server) -> CurlWire:
    return CurlWire(f"http://127.0.0.1:{server.port}/")


def fields_of(server: Server, number: int = -1) -> dict[str, list[str]]:
    return parse_qs(server.requests[number][2].decode(), keep_blank_values=True)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


# What is sent


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


def test_values_are_encoded_as_telegram_wants() -> None:
    """Texts stay, numbers and truth are JSON, so are lists and objects; None is left out."""
    given = {"a": "x", "b": 5, "c": True, "d": {"k": ["é"]}, "e": None, "f": 1.5, "g": [1]}
    assert encode(given) == {
        "a": "x", "b": "5", "c": "true", "d": '{"k": ["é"]}', "f": "1.5", "g": "[1]",
    }  # fmt: skip


def test_a_text_of_a_derived_class_stays_a_text() -> None:
    """An enumeration of texts is sent as its text."""

    class Word(str):
        __slots__ = ()

    assert encode({"a": Word("x")}) == {"a": "x"}


def test_what_json_lacks_is_refused() -> None:
    """A secret, or anything else that is no JSON, is not sent by mistake."""
    with pytest.raises(TypeError):
        encode({"token": TOKEN})


def test_half_a_character_does_not_stop_a_send() -> None:
    """A lone surrogate, which JSON from Telegram may hold, is replaced."""
    assert parse_qs(form({"text": "a\ud800"}).decode())["text"] == ["a?"]


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
    _, headers, body = server.requests[number]
    head = f"Content-Type: {headers['content-type']}\r\n\r\n".encode()
    return {
        str(part.get_param("name", header="content-disposition")): (
            part.get_filename(),
            part.get_payload(decode=True),  # type: ignore[dict-item]
        )
        for part in message_from_bytes(head + body).get_payload()  # type: ignore[union-attr]
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


def test_a_body_tells_its_size() -> None:
    """The length that is announced is the length that is read."""
    body = Multipart({"a": "1"}, {"f": File("n", io.BytesIO(b"12345"), start=2)})
    data = b"".join(iter(lambda: body.read(3), b""))
    assert len(data) == body.size
    assert b"345" in data and b"12345" not in data


def test_what_may_be_a_file() -> None:
    """Names and types come from the tuple or the file; a pipe is read at once."""

    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    ready = File("r", b"")
    files = attach({"a": ("n.txt", b"1", "text/plain"), "b": Pipe(b"2"), "c": ready})
    assert files["a"] == File("n.txt", b"1", "text/plain")
    assert files["b"] == File("b", b"2")
    assert files["c"] is ready


@pytest.mark.parametrize("wrong", ["a path", 5, io.StringIO("text")])
def test_what_may_not_be_a_file(wrong: object) -> None:
    """Anything else is refused with the field's name."""
    with pytest.raises(TypeError, match="the file 'photo' must be bytes"):
        attach({"photo": wrong})


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


def frames(error: BaseException) -> Iterator[Mapping[str, Any]]:
    """The locals of every frame that an exception and its causes passed."""
    trace: TracebackType | None = error.__traceback__
    while trace:
        yield trace.tb_frame.f_locals
        trace = trace.tb_next
    for other in (error.__cause__, error.__context__):
        if other is not None:
            yield {"args": other.args, "vars": vars(other)}
            yield from frames(other)


def leaks(error: BaseException) -> list[str]:
    """Every place of an exception that holds the plain token."""
    whole = traceback.TracebackException.from_exception(error, capture_locals=True)
    texts = {"traceback": "".join(whole.format()), "args": repr(error.args)}
    for number, variables in enumerate(frames(error)):
        for name, value in variables.items():
            texts[f"{number} {name}"] = repr(value)
            texts[f"{number} {name} str"] = str(value)
            if hasattr(value, "__dict__"):
                texts[f"{number} vars({name})"] = repr(vars(value))
    return [place for place, text in texts.items() if SECRET_PART in text]


def fail(wire: CurlWire, *, files: bool = False, fetch: bool = False) -> BaseException:
    with pytest.raises((NeverSent, Ambiguous)) as caught:
        if fetch:
            wire.fetch(TOKEN, "photos/1.jpg", timeout=(0.1, 0.1))
        else:
            attached = {"photo": File("p", b"x" * 3_000_000)} if files else None
            wire.exchange(TOKEN, "sendPhoto", {"a": "b"}, attached, timeout=(0.1, 0.1))
    return caught.value


FAULTS = {
    "close": close,
    "reset": reset,
    "garbage": garbage,
    "half": answer(OK, promised=500),
}


@pytest.mark.parametrize("kind", [*FAULTS, "silence", "refused", "name", "tls", "plain for tls"])
def test_the_token_is_in_no_exception(server: Server, kind: str) -> None:
    """No fault leaves the token in an exception, its causes, or the locals of its frames."""
    base = f"http://127.0.0.1:{server.port}"
    if kind == "refused":
        base = f"http://127.0.0.1:{free_port()}"
    elif kind == "name":
        base = "http://nowhere.invalid"
    elif kind == "tls":
        base, server.tls = base.replace("http", "https"), True
    elif kind == "plain for tls":
        base = base.replace("http", "https")
    wire = CurlWire(base)
    ways: list[dict[str, bool]] = [{}, {"fetch": True}]
    if kind != "silence":
        ways.append({"files": True})
    else:
        ways.pop()
    for way in ways:
        server.plan = [FAULTS.get(kind, server.say_nothing)]
        error = fail(wire, **way)
        assert leaks(error) == []
    assert leaks(_planted()) != []


def _planted() -> BaseException:
    """The control: an exception whose frame does hold the token."""
    try:
        token = TOKEN.reveal()
        raise NeverSent(token[:3])
    except NeverSent as error:
        return error


def test_the_token_is_not_in_the_wire(wire: CurlWire) -> None:
    """The object that made calls can be shown: it does not keep the token."""
    wire.exchange(TOKEN, "getMe", {})
    assert SECRET_PART not in repr(wire) + repr(vars(wire)) + repr(vars(wire._threads))
    assert SECRET_PART not in json.dumps({"wire": repr(wire)})
