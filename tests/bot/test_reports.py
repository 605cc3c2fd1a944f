"""Reports to Sentry: where an error was raised, and not a word of people, nor a token."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
import sentry_sdk
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import HttpTransport, Transport

from bot import reports
from settings import Secret, Settings, SettingsError
from tests.bot.silent import silent
from tests.bot.test_logs import ROOT, TOKEN

DSN = "https://0123456789abcdef@sentry.example.org/1"
ON = Settings(sentry_dsn=Secret(DSN))


class Kept(Transport):
    """Keeps what would be sent."""

    def __init__(self, options: Any = None) -> None:
        super().__init__(options)
        self.sent: list[Envelope] = []

    def capture_envelope(self, envelope: Envelope) -> None:
        self.sent.append(envelope)

    def events(self) -> list[dict[str, Any]]:
        """The events that were sent."""
        events = [envelope.get_event() for envelope in self.sent]
        return [dict(event) for event in events if event is not None]


@pytest.fixture
def kept() -> Iterator[Kept]:
    transport = Kept()
    reports.report(ON, transport=transport)
    yield transport
    sentry_sdk.get_client().close(timeout=0)
    sentry_sdk.get_global_scope().set_client(None)


log = logging.getLogger("bot.sample")


def fall(secret: str) -> None:
    local = f"local {secret}"
    raise ValueError(f"no {local}")


def log_failure(secret: str) -> None:
    """What the middleware logs for a handler that raised, with more in it than it has."""
    try:
        fall(secret)
    except ValueError:
        about = {"update_id": 7, "user_id": 1002, "text": secret, "url": f"https://h/bot{secret}/x"}
        log.exception("a handler failed", extra=about)


def test_an_error_is_told_with_its_place(kept: Kept) -> None:
    """Class, function and release; warnings are not told."""
    log.warning("not this")
    log_failure("x")
    (event,) = kept.events()
    (raised,) = event["exception"]["values"]
    assert raised["type"] == "ValueError"
    assert raised["stacktrace"]["frames"][-1]["function"] == "fall"
    assert event["logentry"] == {"message": "a handler failed"}
    assert event["tags"] == {"app": "bot"}
    assert event["environment"] == "development"


@pytest.mark.parametrize("secret", [TOKEN, "swordfish of Alice"])
def test_what_people_said_and_tokens_are_left_out(kept: Kept, secret: str) -> None:
    """Messages of exceptions, locals, arguments, added fields, addresses: nothing comes through."""
    log_failure(secret)
    log.error("said %s", secret, extra={"who": secret})
    log.error("with", exc_info=ValueError(secret), stack_info=True)
    sentry_sdk.set_user({"id": 1002, "username": secret})
    sentry_sdk.add_breadcrumb(message=secret)
    log.error("last")
    sent = json.dumps(kept.events())
    assert len(kept.events()) == 4
    assert secret not in sent and "1002" not in sent
    assert "said %s" in sent


def test_a_token_in_a_message_itself_is_masked(kept: Kept) -> None:
    """Whoever puts it into the text of a record has it masked as in the log."""
    log.error(f"in {TOKEN} words")  # noqa: G004  the fault that is looked for
    (event,) = kept.events()
    assert event["logentry"]["message"] == "in ******** words"


def test_without_the_setting_nothing_is_sent() -> None:
    """It is off by default."""
    reports.report(Settings())
    assert not sentry_sdk.get_client().is_active()


def test_a_missing_package_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who sets the DSN without the package learns what to install."""
    monkeypatch.setitem(sys.modules, "sentry_sdk", None)
    with pytest.raises(SettingsError, match=r"^SENTRY_DSN needs .*pip install -r requirements-ext"):
        reports.report(ON)


PROGRAM = """
import logging, sys, time
from bot import reports
from settings import Secret, Settings
reports.report(Settings(sentry_dsn=Secret(sys.argv[1])))
log = logging.getLogger("x")
slowest = 0.0
for number in range(1000):
    began = time.perf_counter()
    log.error("failed %s", number)
    slowest = max(slowest, time.perf_counter() - began)
print(slowest)
"""


def test_a_sentry_that_hangs_holds_nobody() -> None:
    """A thousand errors: none waits for the answer, and the program ends after its farewell."""
    with silent() as port:
        dsn = f"http://0123456789abcdef@127.0.0.1:{port}/1"
        began = time.monotonic()
        command = [sys.executable, "-c", PROGRAM, dsn]
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
        )
    assert float(done.stdout) < 1.0
    assert time.monotonic() - began < 30


def test_a_sentry_that_is_gone_is_left_alone_for_a_minute(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """A try that finds nobody takes milliseconds with the interpreter; one a minute is enough."""
    at = [1000.0]
    tries: list[float] = []
    make = reports.patient(lambda: at[0])

    def refuse(*_: object, **__: object) -> None:
        tries.append(at[0])
        raise OSError("nobody listens")

    monkeypatch.setattr(HttpTransport, "_request", refuse)
    reports.report(ON, transport=make)
    request.addfinalizer(lambda: sentry_sdk.get_global_scope().set_client(None))
    for seconds in (0.0, 1.0, reports.REST - 2.0, 1.0):
        at[0] += seconds
        log.error("failed")
        sentry_sdk.flush()
    assert tries == [1000.0, 1000.0 + reports.REST]
