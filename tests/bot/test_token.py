"""The token: no fault of the wire leaves it in an exception, its causes or their frames."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any

import pytest

from bot.form import File
from bot.wire import Ambiguous, CurlWire, NeverSent
from tests.bot.loopback import (
    OK,
    SECRET_PART,
    TOKEN,
    Server,
    answer,
    close,
    garbage,
    reset,
)
from tests.ports import free_port


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.stop()


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


def fail(wire: CurlWire, way: str) -> BaseException:
    files = {"photo": File("p", b"x" * 3_000_000)} if way == "files" else None
    try:
        if way == "fetch":
            wire.fetch(TOKEN, "photos/1.jpg", timeout=(0.1, 0.1))
        else:
            wire.exchange(TOKEN, "sendPhoto", {"a": "b"}, files, timeout=(0.1, 0.1))
    except (NeverSent, Ambiguous) as error:
        return error
    pytest.fail("the fault did not show")


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
    ways = ("call",) if kind == "silence" else ("call", "fetch", "files")
    for way in ways:
        server.plan = [FAULTS.get(kind, server.say_nothing)]
        assert leaks(fail(wire, way)) == []
    assert leaks(_planted()) != []


def _planted() -> BaseException:
    """The control: an exception whose frame does hold the token."""
    try:
        token = TOKEN.reveal()
        raise NeverSent(token[:3])
    except NeverSent as error:
        return error


def test_the_token_is_not_in_the_wire(server: Server) -> None:
    """The object that made calls can be shown: it does not keep the token."""
    wire = CurlWire(f"http://127.0.0.1:{server.port}")
    wire.exchange(TOKEN, "getMe", {})
    assert SECRET_PART not in repr(wire) + repr(vars(wire)) + repr(vars(wire._threads))
