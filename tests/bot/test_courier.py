"""The courier against a server on loopback: many calls at once, kept connections, and faults."""

from __future__ import annotations

import gc
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bot.courier import HELD, Courier
from bot.form import form
from bot.link import Link
from bot.wire import Ambiguous, NeverSent, Reply
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
from tests.bot.test_lease import Clock
from tests.bot.test_token import leaks
from tests.ports import free_port

Heard = list[Reply | NeverSent | Ambiguous]
KINDS = ["close", "garbage", "half", "refused", "shut", "full", "late"]
ON_BOTH = pytest.mark.parametrize("scheme", ["http", "https"])
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture
def scheme() -> str:
    return "http"


@pytest.fixture
def server(scheme: str) -> Iterator[Server]:
    server = Server()
    server.tls = scheme == "https"
    yield server
    server.stop()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def courier(
    server: Server, scheme: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Courier]:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    courier = Courier(f"{scheme}://127.0.0.1:{server.port}/", ca_file=PEM, clock=clock)
    yield courier
    courier.close()


def post(
    courier: Courier,
    text: str = "x",
    heard: Heard | None = None,
    still: Callable[[], bool] | None = None,
) -> Heard:
    """Post a message; its answer will be in the list that this gives."""
    heard = [] if heard is None else heard
    courier.post(TOKEN, "sendMessage", form({"text": text}), heard.append, still=still)
    return heard


def listen(courier: Courier, until: Callable[[], object]) -> None:
    """Receive until something is so."""
    deadline = time.monotonic() + 10
    while not until():
        assert time.monotonic() < deadline
        courier.receive(0.05)


def ask(courier: Courier, text: str = "x") -> Reply | NeverSent | Ambiguous:
    """Post a message and wait for what comes of it."""
    heard = post(courier, text)
    listen(courier, lambda: heard)
    assert len(heard) == 1 and len(courier.busy) == 0
    return heard[0]


def status(outcome: object) -> int:
    assert isinstance(outcome, Reply), outcome
    return outcome.status


def narrow(place: tuple[str, int], timeout: float) -> socket.socket:
    """A connection that takes little at once."""
    link = socket.socket()
    link.settimeout(timeout)
    link.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    link.connect(place)
    return link


def hold(server: Server, monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Let the server read nothing more until the event is set."""
    gate, read = threading.Event(), server._read

    def late(link: socket.socket) -> bool:
        gate.wait(10)
        return read(link)

    monkeypatch.setattr(server, "_read", late)
    monkeypatch.setattr(socket, "create_connection", narrow)
    return gate


def answer_and_stay(server: Server) -> Step:
    """Answer, and notice no end of the connection."""
    return lambda link: answer()(link) and server.say_nothing(link)


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


# Connections


@ON_BOTH
def test_a_post_gets_its_reply(server: Server, courier: Courier) -> None:
    """The request holds the method and the form, and the answer comes as it is."""
    heard = post(courier, "Привет & <b>=мир</b>\n👍")
    assert len(courier.busy) == 1 and not heard
    listen(courier, lambda: heard)
    assert heard == [Reply(200, {}, OK)] and len(courier.busy) == 0
    first, headers, _ = server.requests[0]
    assert first == f"POST /bot{TOKEN.reveal()}/sendMessage HTTP/1.1"
    assert headers["content-type"] == "application/x-www-form-urlencoded"
    assert fields_of(server) == {"text": ["Привет & <b>=мир</b>\n👍"]}


@ON_BOTH
def test_the_connection_is_kept(server: Server, courier: Courier) -> None:
    """Calls one after the other share one connection; each answer is its own."""
    server.plan = [answer(str(number).encode()) for number in range(20)]
    bodies = [getattr(ask(courier, str(number)), "body", None) for number in range(20)]
    assert bodies == [str(number).encode() for number in range(20)]
    assert server.connections == 1


@ON_BOTH
def test_many_posts_at_once_are_all_heard(server: Server, courier: Courier) -> None:
    """Each has a connection of its own while it lasts; the next ones use those again."""
    gate, heards = threading.Event(), list[Heard]()

    def late(number: int) -> Step:
        return lambda link: gate.wait(10) and answer(str(number).encode())(link)

    server.plan = [late(number) for number in range(30)]
    for number in range(30):
        heards.append(post(courier, str(number)))
        wait_for(lambda: len(server.plan) < 30 - number)  # noqa: B023 - called at once
    courier.receive(0)
    assert len(courier.busy) == 30 and not any(heards)
    gate.set()
    listen(courier, lambda: all(heards))
    bodies = [[getattr(outcome, "body", None) for outcome in heard] for heard in heards]
    assert bodies == [[str(number).encode()] for number in range(30)]
    again: Heard = []
    for _ in range(30):
        post(courier, heard=again)
    listen(courier, lambda: len(again) == 30)
    assert {status(outcome) for outcome in again} == {200} and server.connections == 30


def test_calls_that_are_held_leave_together(server: Server, courier: Courier) -> None:
    """Those that may wait do, until they are let go or somebody listens; the others do not."""
    courier.hold()
    heards = [post(courier, str(number), still=lambda: True) for number in range(3)]
    at_once = post(courier, "at once")
    wait_for(lambda: server.requests)
    time.sleep(0.05)
    assert fields_of(server) == {"text": ["at once"]} and len(courier.busy) == 4
    listen(courier, lambda: at_once and all(heards))
    assert len(server.requests) == 4
    sent = post(courier, "later", still=lambda: True)  # nothing is held any more
    listen(courier, lambda: sent)
    assert status(sent[0]) == 200


def test_who_is_held_leaves_within_milliseconds(
    server: Server, courier: Courier, clock: Clock
) -> None:
    """However long the updates take that are handled meanwhile."""
    clock.now += 1.0
    courier.hold()
    first = post(courier, still=lambda: True)
    clock.now += HELD / 2
    courier.hold()
    assert len(courier._held) == 1
    clock.now += HELD
    courier.hold()
    assert not courier._held and courier._holds
    listen(courier, lambda: first)
    assert status(first[0]) == 200


def test_a_call_that_may_not_go_any_more_is_not_sent(server: Server, courier: Courier) -> None:
    """Who lost the right to call while it was held is told that it never left."""
    allowed = [True, False]
    courier.hold()
    heards = [post(courier, still=lambda i=i: allowed[i]) for i in range(2)]  # type: ignore[misc]
    courier.let_go()
    listen(courier, lambda: all(heards))
    assert status(heards[0][0]) == 200 and isinstance(heards[1][0], NeverSent)
    assert len(server.requests) == 1 and len(courier.busy) == 0
    assert len(courier._idle) == 2  # its connection carries another one


def test_one_that_is_stuck_holds_no_other_back(
    server: Server, courier: Courier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one thread waits for room with it, another one sends the rest."""
    gate = hold(server, monkeypatch)
    courier.hold()
    large = post(courier, "x" * 3_000_000, still=lambda: True)
    monkeypatch.undo()
    small = post(courier, "small", still=lambda: True)
    stuck = threading.Thread(target=courier.let_go)
    stuck.start()
    wait_for(lambda: len(courier._held) == 1)
    gate.set()
    listen(courier, lambda: small)
    assert status(small[0]) == 200
    stuck.join()
    listen(courier, lambda: large)


def test_a_call_that_cannot_be_made_takes_no_other_with_it(
    server: Server, courier: Courier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is raised for one of those that were held is told to that one."""
    courier.hold()
    heards = [post(courier, text, still=lambda: True) for text in ("a", "b")]
    real, made = courier._request, list[int]()

    def request(*arguments: Any) -> bytes:
        made.append(1)
        if len(made) == 1:
            raise MemoryError
        return real(*arguments)

    monkeypatch.setattr(courier, "_request", request)
    courier.let_go()
    listen(courier, lambda: all(heards))
    assert isinstance(heards[0][0], Ambiguous) and status(heards[1][0]) == 200


def test_who_posts_what_cannot_be_made_is_told_once(
    courier: Courier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the exception; its answer is not waited for."""
    heard: Heard = []
    monkeypatch.setattr(courier, "_request", lambda *_: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        post(courier, heard=heard)
    assert len(courier.busy) == 0 and not heard


def test_posts_of_many_threads_are_all_heard(server: Server, courier: Courier) -> None:
    """Threads post side by side while another one listens: every call ends, once."""
    heard: Heard = []
    threads = [
        threading.Thread(target=lambda: [post(courier, heard=heard) for _ in range(25)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    listen(courier, lambda: len(heard) == 100)
    for thread in threads:
        thread.join(5)
    courier.receive(0)
    assert [status(outcome) for outcome in heard] == [200] * 100
    assert len(server.requests) == 100 and len(courier.busy) == 0


@ON_BOTH
def test_a_connection_closed_while_idle_is_replaced(server: Server, courier: Courier) -> None:
    """What the server closed before the request is no fault: the call goes over a new one."""
    server.plan = [lambda link: not answer()(link)] * 3
    for number in range(1, 4):
        server.closed.clear()
        assert status(ask(courier)) == 200
        assert server.closed.wait(5)
        listen(courier, lambda: not courier._idle)
        assert server.connections == number and len(server.requests) == number


def test_words_that_nobody_asked_for_end_an_idle_connection(
    server: Server, courier: Courier
) -> None:
    """They must not become the answer to the next call."""

    def say_twice(link: socket.socket) -> bool:
        answer()(link)
        wait_for(lambda: courier._idle)
        return answer(b"a stray")(link)

    server.plan = [say_twice]
    assert status(ask(courier)) == 200
    listen(courier, lambda: not courier._idle)
    assert ask(courier) == Reply(200, {}, OK) and server.connections == 2


def test_a_connection_that_the_server_will_close_is_not_kept(
    server: Server, courier: Courier
) -> None:
    """`Connection: close` is obeyed, even when the server leaves it open."""
    server.plan = [answer(head="Connection: close\r\n")]
    assert [status(ask(courier)), status(ask(courier))] == [200, 200]
    assert server.connections == 2


def test_an_end_that_nobody_heard_is_noticed_before_the_next_call(
    server: Server, courier: Courier
) -> None:
    """A call over a connection that the server closed meanwhile would be in doubt."""
    assert status(ask(courier)) == 200
    link = courier._idle[0]
    assert not link.stirs()
    server.plan = [close]
    link.sock.send(b"GET / HTTP/1.1\r\n\r\n")
    wait_for(link.stirs)
    assert status(ask(courier)) == 200 and server.connections == 2


def test_a_connection_that_stood_for_long_is_not_used(
    server: Server, courier: Courier, clock: Clock
) -> None:
    """A router may have forgotten it; a younger one is used."""
    assert status(ask(courier)) == 200
    clock.now += 59
    assert status(ask(courier)) == 200 and server.connections == 1
    clock.now += 61
    assert status(ask(courier)) == 200 and server.connections == 2


# What comes over them


def test_retry_after_is_kept(server: Server, courier: Courier) -> None:
    """The header of a 429 comes with its reply, and with no later one."""
    server.plan = [answer(b"{}", "429 Too Many Requests", "Retry-After: 7\r\n")]
    assert ask(courier) == Reply(429, {"retry-after": "7"}, b"{}")
    assert ask(courier) == Reply(200, {}, OK)


def test_an_answer_in_pieces(server: Server, courier: Courier) -> None:
    """A chunked body, cut anywhere, is put together."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    whole = head + b"4\r\n{'ok\r\n6\r\n':'o'}\r\n0\r\n\r\n"

    def dribble(link: socket.socket) -> bool:
        for byte in whole:
            link.sendall(bytes([byte]))
        return True

    server.plan = [dribble, answer(b"next")]
    assert ask(courier) == Reply(200, {}, b"{'ok':'o'}")
    assert ask(courier) == Reply(200, {}, b"next") and server.connections == 1


@ON_BOTH
def test_a_large_body_gets_out(
    server: Server, courier: Courier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A text that the connection does not take at once arrives whole."""
    real, gate = courier._await_room, hold(server, monkeypatch)

    def await_room(link: Link) -> None:
        gate.set()
        real(link)

    monkeypatch.setattr(courier, "_await_room", await_room)
    text = "я" * 100_000
    assert status(ask(courier, text)) == 200
    assert fields_of(server) == {"text": [text]} and gate.is_set()


# Faults


@pytest.mark.parametrize("fault", [close, reset, garbage, answer(OK, promised=500)])
def test_an_answer_that_does_not_come_whole(server: Server, courier: Courier, fault: Step) -> None:
    """Closed, reset, no HTTP, half an answer: the request may have been carried out."""
    server.plan = [answer(), fault]
    ask(courier)
    assert isinstance(ask(courier), Ambiguous) and len(server.requests) == 2
    assert status(ask(courier)) == 200 and server.connections == 2


def test_an_answer_that_is_late(server: Server, courier: Courier, clock: Clock) -> None:
    """Silence ends after thirty seconds, and the request may have been carried out."""
    server.plan = [server.say_nothing]
    heard = post(courier)
    wait_for(lambda: not server.plan)
    clock.now += 29
    courier.receive(0)
    assert not heard and len(courier.busy) == 1
    clock.now += 2
    courier.receive(0)
    assert [type(outcome) for outcome in heard] == [Ambiguous] and len(courier.busy) == 0
    assert status(ask(courier)) == 200


def test_nothing_listens() -> None:
    """A refused connection: nothing was sent, and that is heard at once."""
    courier = Courier(f"http://127.0.0.1:{free_port()}")
    assert [type(outcome) for outcome in post(courier)] == [NeverSent]
    courier.close()


def test_it_rests_after_a_failed_connection(
    server: Server, courier: Courier, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For half a minute calls go another way; then it tries again."""

    def refuse() -> None:
        raise ConnectionRefusedError

    with monkeypatch.context() as patch:
        patch.setattr(courier, "_connect", refuse)
        assert [type(outcome) for outcome in post(courier)] == [NeverSent]
    seen = []
    for seconds in (0, 29, 2):
        clock.now += seconds
        seen.append(courier.open)
    assert seen == [False, False, True] and status(ask(courier)) == 200


@ON_BOTH
def test_a_connection_that_takes_nothing_more(
    server: Server, courier: Courier, scheme: str
) -> None:
    """Without a byte out nothing was sent; over TLS that cannot be told."""
    server.plan = [answer_and_stay(server)]
    ask(courier)
    courier._idle[0].sock.shutdown(socket.SHUT_WR)
    kind = Ambiguous if scheme == "https" else NeverSent
    assert [type(outcome) for outcome in post(courier)] == [kind]
    assert status(ask(courier)) == 200


@pytest.mark.parametrize("scheme", ["https"])
def test_a_stranger_s_certificate_is_refused(server: Server) -> None:
    """With the public authorities a self-made certificate ends the call before anything is sent."""
    courier = Courier(f"https://127.0.0.1:{server.port}")
    assert [type(outcome) for outcome in post(courier)] == [NeverSent]
    assert server.requests == []
    courier.close()


# Listening


def test_wake_ends_a_receive(courier: Courier) -> None:
    """Whoever listens without an end is called away; a ring before it began counts as well."""
    thread = threading.Thread(target=courier.receive, args=(None,))
    thread.start()
    courier.wake()
    thread.join(5)
    assert not thread.is_alive()
    for _ in range(100_000):  # more rings than a socket keeps
        courier.wake()
    courier.receive(None)


def test_without_a_base_url_it_carries_nothing() -> None:
    """It can only be listened to, and woken."""
    courier = Courier()
    assert not courier.open and len(courier.busy) == 0
    courier.wake()
    courier.receive(None)
    courier.close()


def test_behind_a_proxy_it_carries_nothing(
    courier: Courier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ordinary wire finds its way; a plain server and an exception need no proxy."""
    couriers = [courier]

    def is_open(url: str) -> bool:
        couriers.append(Courier(url))
        return couriers[-1].open

    assert courier.open and is_open("https://api.telegram.org")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:3128")
    assert not is_open("https://api.telegram.org") and is_open("http://bot-api:8081")
    monkeypatch.setenv("no_proxy", "api.telegram.org")
    assert is_open("https://api.telegram.org")
    for other in couriers[1:]:
        other.close()


def test_an_unfit_base_url_is_refused() -> None:
    """The token goes unencrypted to no server of Telegram's."""
    with pytest.raises(ValueError, match="unencrypted"):
        Courier("http://api.telegram.org")


# The token


@ON_BOTH
@pytest.mark.parametrize("kind", KINDS)
def test_the_token_is_in_no_outcome(
    server: Server,
    courier: Courier,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    """No fault leaves it in an exception, its causes, the locals of its frames, or the courier."""
    plans = {"close": close, "garbage": garbage, "half": answer(OK, promised=500)}
    gate = threading.Event()
    server.plan = [answer_and_stay(server) if kind == "shut" else answer()]
    ask(courier)
    server.plan = [plans.get(kind, server.say_nothing)]
    if kind == "shut":
        courier._idle[0].sock.shutdown(socket.SHUT_WR)
    elif kind == "refused":
        courier._drop(courier._idle.pop())
        courier._place = ("127.0.0.1", free_port())
    elif kind == "full":
        courier._drop(courier._idle.pop())
        gate = hold(server, monkeypatch)
        courier._timeout = (10.0, 0.1)
    heard = post(courier, "x" * (500_000 if kind == "full" else 1))
    if kind == "late":
        wait_for(lambda: not server.plan)
        clock.now += 31
    listen(courier, lambda: heard)
    gate.set()
    assert isinstance(heard[0], Exception) and leaks(heard[0]) == []


@ON_BOTH
def test_the_token_is_not_in_the_courier(server: Server, courier: Courier) -> None:
    """What it keeps of itself, and of a call on its way, can be shown."""
    server.plan = [answer(), server.say_nothing]
    ask(courier)
    post(courier)
    post(courier)
    links = [*courier._idle, *courier.busy]
    gc.collect()
    parts = [getattr(link, name) for link in links for name in type(link).__slots__]
    assert links and SECRET_PART not in repr(vars(courier)) + repr(parts)
