"""The health check of the image: 0 for a process that answers, 1 for none, 2 for a wrong call."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar

import pytest

from deploy import alive
from settings import Settings


class Page(BaseHTTPRequestHandler):
    """Answers with a status and a text for each path."""

    status = 200
    texts: ClassVar[dict[str, bytes]] = {}

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.end_headers()
        self.wfile.write(self.texts.get(self.path, b""))

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    texts = {"/metrics": b"# HELP\nbot_inbox_depth 0.0\n", "/healthz": b"ok\n"}
    monkeypatch.setattr(Page, "texts", texts)
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


@pytest.mark.parametrize(
    ("what", "setting", "path"),
    [("metrics", "METRICS_PORT", "/metrics"), ("panel", "ADMIN_PORT", "/healthz")],
)
def test_another_program_is_not_taken_for_ours(
    free: int, monkeypatch: pytest.MonkeyPatch, what: str, setting: str, path: str
) -> None:
    """Metrics without the bot's, and a page that is no sign of life of the panel's."""
    monkeypatch.setenv("METRICS_PORT", "9090")
    monkeypatch.setenv(setting, str(free))
    assert alive.main([what]) == 0
    monkeypatch.setitem(Page.texts, path, b"prometheus_build_info 1\nx_bot_y 1\nok\n")
    assert alive.main([what]) == 1


def test_one_that_answers_badly_or_not_at_all_is_not(
    free: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503 is a failure, and so is a port where nobody listens."""
    monkeypatch.setattr(Page, "status", 503)
    assert alive.main(["metrics"]) == 1
    monkeypatch.setattr(Page, "status", 200)
    assert alive.main(["metrics"]) == 0
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
