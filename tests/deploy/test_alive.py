"""The health check of the image: 0 for a process that answers, 1 for none, 2 for a wrong call."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from deploy import alive
from settings import Settings


class Page(BaseHTTPRequestHandler):
    """Answers /metrics, fails at /healthz."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/metrics" else 503)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch, port: int) -> int:
    monkeypatch.setenv("METRICS_PORT", str(port))
    monkeypatch.setenv("SECRET_KEY", "k" * 32)
    return port


def test_a_process_that_answers_is_alive(free: int) -> None:
    """Its metrics are enough."""
    assert alive.main(["metrics"]) == 0


def test_one_that_answers_badly_or_not_at_all_is_not(
    free: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503 is a failure, and so is a port where nobody listens."""
    monkeypatch.setenv("METRICS_PORT", "9090")
    monkeypatch.setenv("ADMIN_PORT", str(free))
    assert alive.main(["panel"]) == 1
    monkeypatch.setenv("METRICS_PORT", "1")
    assert alive.main(["metrics"]) == 1


@pytest.mark.parametrize("arguments", [[], ["bot"], ["metrics", "panel"]])
def test_a_wrong_call_is_told(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Usage, and exit code 2."""
    assert alive.main(arguments) == 2
    assert "usage" in capsys.readouterr().err


def test_the_ports_are_those_of_the_settings() -> None:
    """Whoever changes a port changes the check too."""
    settings = Settings(metrics_port=1, admin_port=2)
    assert alive.address("metrics", settings) == "http://127.0.0.1:1/metrics"
    assert alive.address("panel", settings) == "http://127.0.0.1:2/healthz"
