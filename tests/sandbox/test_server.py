"""The Bot API over HTTP: how calls come in, how answers and files go out, how it is served."""

from __future__ import annotations

import io
import json
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection

import pytest
from werkzeug.test import Client, TestResponse

from sandbox import sockets
from sandbox.server import make_app, serve
from sandbox.telegram import File, Telegram
from tests.sandbox.serving import ALICE, TOKEN, exchange, json_of, serving

SEND = f"/bot{TOKEN}/sendMessage"


@pytest.fixture
def telegram() -> Telegram:
    """A sandbox in which Alice has started the bot."""
    telegram = Telegram()
    telegram.call(TOKEN, "getMe", {})
    telegram.send(1_000_000_001, ALICE, ALICE, text="/start")
    return telegram


@pytest.fixture
def client(telegram: Telegram) -> Client:
    """A client of its HTTP side, without a socket."""
    return Client(make_app(telegram))


@pytest.fixture
def port(telegram: Telegram) -> Iterator[int]:
    """The port of its HTTP side, with a socket."""
    with serving(telegram) as port:
        yield port


def result(response: TestResponse) -> dict[str, object]:
    """What a successful call gave."""
    assert response.json is not None and response.json["ok"], response.text
    found: dict[str, object] = response.json["result"]
    return found


def test_parameters_may_stand_in_the_query(client: Client) -> None:
    """GET with a query is a call."""
    response = client.get(SEND, query_string={"chat_id": ALICE, "text": "Привет & co"})
    assert result(response)["text"] == "Привет & co"
    assert response.content_type == "application/json"


def test_parameters_may_stand_in_a_form(client: Client) -> None:
    """POST with a form is a call."""
    assert result(client.post(SEND, data={"chat_id": ALICE, "text": "hi"}))["text"] == "hi"


def test_parameters_may_stand_in_json(client: Client) -> None:
    """POST with JSON is a call, and nested values need no second encoding."""
    keys = {"inline_keyboard": [[{"text": "Yes", "callback_data": "y"}]]}
    message = result(client.post(SEND, json={"chat_id": ALICE, "text": "?", "reply_markup": keys}))
    assert message["reply_markup"] == keys


def test_the_query_goes_before_the_body(client: Client) -> None:
    """A parameter that is given twice is taken from the query."""
    response = client.post(f"{SEND}?text=query", data={"chat_id": ALICE, "text": "form"})
    assert result(response)["text"] == "query"


def test_a_long_text_fits_into_the_query(port: int) -> None:
    """4096 Chinese characters, percent-encoded by the client, are about 37 kB of request line."""
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("POST", f"{SEND}?chat_id={ALICE}&text={'%E4%BD%A0' * 4096}")
    answer = json.load(connection.getresponse())
    connection.close()
    assert answer["result"]["text"] == "你" * 4096


def test_a_long_text_fits_into_a_multipart_field(port: int) -> None:
    """A field of a multipart body has no limit of its own; Telegram's is told in its words."""
    fields = {"chat_id": str(ALICE), "text": "x" * 600_000}
    parts = "".join(
        f'--cut\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    )
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    headers = {"Content-Type": "multipart/form-data; boundary=cut"}
    connection.request("POST", SEND, f"{parts}--cut--\r\n", headers)
    answer = json.load(connection.getresponse())
    connection.close()
    assert answer["description"] == "Bad Request: text is too long"


def test_too_many_parts_are_refused(client: Client) -> None:
    """A form of a thousand parts is none that a bot sends."""
    data = {f"field{number}": "x" for number in range(1001)}
    response = client.post(SEND, data=data, content_type="multipart/form-data")
    assert response.json is not None and response.json["error_code"] == 413


@pytest.mark.parametrize("body", [b"{", b"[1]", b"\xff"])
def test_json_that_is_no_object_is_refused(client: Client, body: bytes) -> None:
    """A body that cannot be read is a 400 with a description."""
    response = client.post(SEND, data=body, content_type="application/json")
    assert response.status_code == 400
    assert response.json is not None
    assert response.json["description"].startswith("Bad Request: can't parse parameters")


def test_an_empty_json_body_has_no_parameters(client: Client) -> None:
    """Some libraries send the JSON content type with nothing behind it."""
    response = client.post(f"/bot{TOKEN}/getMe", data=b"", content_type="application/json")
    assert result(response)["is_bot"] is True


def test_a_file_goes_up_and_comes_down(client: Client) -> None:
    """A multipart upload is a document, and /file/bot… gives its bytes back."""
    data = {"chat_id": ALICE, "document": (io.BytesIO(b"some bytes"), "notes.txt", "text/plain")}
    message = result(client.post(f"/bot{TOKEN}/sendDocument", data=data))
    document = message["document"]
    assert isinstance(document, dict) and document["file_name"] == "notes.txt"
    found = result(client.get(f"/bot{TOKEN}/getFile?file_id={document['file_id']}"))
    response = client.get(f"/file/bot{TOKEN}/{found['file_path']}")
    assert (response.status_code, response.data) == (200, b"some bytes")


def test_a_file_needs_a_known_token_and_a_known_path(client: Client) -> None:
    """Nobody guesses a file without the token of a bot that is here."""
    assert client.get(f"/file/bot{TOKEN}/documents/file_0.txt").status_code == 401
    client.get(f"/bot{TOKEN}/getMe")
    assert client.get(f"/file/bot{TOKEN}/documents/none.txt").status_code == 404
    assert client.get("/file/bot5:other_other_other/documents/file_0.txt").status_code == 401


@pytest.mark.parametrize(
    ("path", "status", "description"),
    [
        (f"/bot{TOKEN}/noSuchMethod", 404, "Not Found: method not found"),
        (f"/bot{TOKEN}", 404, "Not Found"),
        (f"/bot{TOKEN}/test/getMe", 404, "Not Found"),
        ("/botnonsense/getMe", 401, "Unauthorized: invalid token specified"),
    ],
)
def test_errors_have_their_status_and_telegrams_words(
    client: Client, path: str, status: int, description: str
) -> None:
    """The HTTP status is the error_code."""
    response = client.get(path)
    expected = {"ok": False, "error_code": status, "description": description}
    assert (response.status_code, response.json) == (status, expected)


def test_other_verbs_are_refused(client: Client) -> None:
    """The Bot API knows GET and POST."""
    assert client.put(SEND).status_code == 405


def test_method_names_may_be_in_any_case(client: Client) -> None:
    """As at Telegram."""
    assert client.get(f"/bot{TOKEN}/GETME").status_code == 200


def test_a_flood_answer_carries_the_header(telegram: Telegram, client: Client) -> None:
    """A 429 says how long to wait in the body and in Retry-After."""
    telegram.fail("429", "sendMessage", times=1, value=7)
    response = client.post(SEND, data={"chat_id": ALICE, "text": "hi"})
    assert response.status_code == 429
    assert response.headers["Retry-After"] == "7"
    assert response.json is not None and response.json["parameters"] == {"retry_after": 7}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin", "Host": "evil.example"}, 403),
        ({"Sec-Fetch-Site": "same-origin", "Host": "localhost:8081"}, 200),
        ({"Host": "sandbox.internal"}, 200),
    ],
)
def test_web_pages_elsewhere_may_not_call(
    client: Client, headers: dict[str, str], status: int
) -> None:
    """The sandbox's token is no secret, so a browser's request for another site is refused."""
    assert client.get(f"/bot{TOKEN}/getMe", headers=headers).status_code == status


def test_one_connection_carries_many_calls(port: int) -> None:
    """HTTP/1.1 keep-alive: the second call finds the connection open."""
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    sources = set()
    for number in range(3):
        connection.request("POST", SEND, f"chat_id={ALICE}&text={number}", FORM)
        response = connection.getresponse()
        assert json.load(response)["result"]["text"] == str(number)
        assert response.getheader("Connection") is None
        sources.add(connection.sock.getsockname())
    connection.close()
    assert len(sources) == 1


FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def test_a_chunked_body_is_read(port: int) -> None:
    """A client that does not know the length beforehand sends chunks."""
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    parts = iter([b"chat_id=1001", b"&text=", b"chunks"])
    connection.request("POST", SEND, parts, FORM, encode_chunked=True)
    assert json.load(connection.getresponse())["result"]["text"] == "chunks"
    connection.close()


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("Content-Length: x", 400),
        ("Content-Length: 99999999999", 413),
        ("Transfer-Encoding: chunked", 400),
    ],
)
def test_a_body_that_cannot_be_read_ends_the_connection(port: int, head: str, status: int) -> None:
    """The rest of such a connection cannot be trusted, so it is answered and closed."""
    request = f"POST {SEND} HTTP/1.1\r\nHost: localhost\r\n{head}\r\n\r\nzz\r\n"
    answer = exchange(port, request.encode())
    assert json_of(answer)["error_code"] == status


def test_a_chunked_body_has_a_limit(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks are counted, since nothing announces their sum."""
    monkeypatch.setattr(sockets, "BODY_LIMIT", 4)
    request = f"POST {SEND} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = exchange(port, request.encode() + b"6\r\nabcdef\r\n0\r\n\r\n")
    assert json_of(answer)["error_code"] == 413


@pytest.mark.parametrize(("kind", "carried_out"), [("cut_before", 0), ("cut_after", 1)])
def test_a_cut_closes_the_connection(
    telegram: Telegram, port: int, kind: str, carried_out: int
) -> None:
    """The client gets not one byte; whether the call was carried out is the fault's choice."""
    telegram.fail(kind, "sendMessage", times=1)
    before = len(telegram.history(1_000_000_001, ALICE))
    request = f"GET {SEND}?chat_id={ALICE}&text=x HTTP/1.1\r\nHost: localhost\r\n\r\n"
    assert exchange(port, request.encode()) == b""
    assert len(telegram.history(1_000_000_001, ALICE)) - before == carried_out


def test_a_long_poll_waits_for_an_update(telegram: Telegram, port: int) -> None:
    """A waiting getUpdates is answered as soon as somebody writes."""
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", f"/bot{TOKEN}/getUpdates?offset=-1&timeout=0")
    last = json.load(connection.getresponse())["result"][0]["update_id"]
    connection.request("GET", f"/bot{TOKEN}/getUpdates?offset={last + 1}&timeout=5")
    threading.Timer(0.05, telegram.send, (1_000_000_001, ALICE, ALICE), {"text": "hey"}).start()
    updates = json.load(connection.getresponse())["result"]
    connection.close()
    assert [update["message"]["text"] for update in updates] == ["hey"]


def test_head_has_no_body(port: int) -> None:
    """HEAD gives the headers of GET alone."""
    answer = exchange(port, b"HEAD / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200") and answer.endswith(b"\r\n\r\n")


def test_a_breakdown_is_a_500_and_keeps_the_token_out_of_the_log(
    port: int,
    telegram: Telegram,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An error of our own is answered and logged, without the address that holds the token."""

    def break_down(*_: object, **__: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(telegram, "call", break_down)
    with caplog.at_level(logging.DEBUG):
        answer = exchange(port, f"GET {SEND} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    assert json_of(answer)["error_code"] == 500
    assert "broken" in caplog.text and TOKEN not in caplog.text


def test_calls_are_not_logged(
    port: int, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """No access log, and not a word about requests that are no HTTP."""
    with caplog.at_level(logging.DEBUG):
        exchange(port, f"GET {SEND} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        exchange(port, f"{SEND} nonsense here too\r\n\r\n".encode())
    assert TOKEN not in caplog.text
    assert capfd.readouterr() == ("", "")


def test_a_client_that_goes_away_is_no_error(
    telegram: Telegram, port: int, capfd: pytest.CaptureFixture[str]
) -> None:
    """A connection that ends before its answer leaves nothing behind."""
    telegram.fail("slow", "getMe", times=1, value=0.1)
    before = set(threading.enumerate())
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(f"GET /bot{TOKEN}/getMe HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    exchange(port, f"GET /bot{TOKEN}/getMe HTTP/1.0\r\n\r\n".encode())
    for thread in set(threading.enumerate()) - before:
        thread.join(5)
    assert capfd.readouterr() == ("", "")


def once_served(act: Callable[[], object]) -> threading.Thread:
    """Act in a thread as soon as a server of the main thread listens to signals."""
    before, deadline = signal.getsignal(signal.SIGTERM), time.monotonic() + 10

    def work() -> None:
        while signal.getsignal(signal.SIGTERM) is before and time.monotonic() < deadline:
            time.sleep(0.01)
        act()

    thread = threading.Thread(target=work)
    thread.start()
    return thread


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_ends_on_a_signal(number: signal.Signals, caplog: pytest.LogCaptureFixture) -> None:
    """SIGTERM and SIGINT end it at once, also with a long poll under way."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    def poll_then_stop() -> None:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            poll = f"GET /bot{TOKEN}/getUpdates?timeout=50 HTTP/1.1\r\nHost: x\r\n\r\n"
            connection.sendall(poll.encode())
            os.kill(os.getpid(), number)

    before = signal.getsignal(number)
    thread = once_served(poll_then_stop)
    with caplog.at_level(logging.INFO):
        serve(port)
    thread.join()
    assert signal.getsignal(number) is before
    assert f"http://localhost:{port}" in caplog.text


def test_serve_outlives_who_needs_it() -> None:
    """After SIGTERM it still answers, until it is not needed any more."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    answers: list[bytes] = []

    def needed() -> bool:
        answers.append(exchange(port, b"GET /app/faults HTTP/1.0\r\nHost: localhost\r\n\r\n"))
        return len(answers) < 2

    thread = once_served(lambda: os.kill(os.getpid(), signal.SIGTERM))
    serve(port, needed=needed)
    thread.join()
    assert len(answers) == 2 and all(b" 200 " in answer for answer in answers)


def test_a_busy_port_is_an_oserror() -> None:
    """The caller tells the person which setting to change."""
    with socket.create_server(("127.0.0.1", 0)) as busy, pytest.raises(OSError, match="in use"):
        serve(busy.getsockname()[1])


def test_the_bot_fetches_what_a_person_sent(telegram: Telegram, client: Client) -> None:
    """A file of Alice's arrives byte for byte, and never as something a browser would open."""
    page = File("page.html", b"<b>hi</b>", "text/html")
    message = telegram.send(1_000_000_001, ALICE, ALICE, document=page, caption="Look")
    client.get(f"/bot{TOKEN}/getMe")
    found = result(client.get(f"/bot{TOKEN}/getFile?file_id={message['document']['file_id']}"))
    response = client.get(f"/file/bot{TOKEN}/{found['file_path']}")
    assert response.data == page.data
    assert response.content_type == "application/octet-stream"
