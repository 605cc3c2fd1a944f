"""Requests: ids, lines in the log, names of hosts, and what an error says."""

from __future__ import annotations

import dataclasses
import logging

import pytest
from flask import Flask
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from admin.app import create_app
from admin.auth.rights import anybody
from admin.panel import Panel
from bot import logs
from bot.tracing import tracing
from settings import Settings
from staff import StaffRole
from tests.admin.conftest import Visit
from tests.bot.test_logs import Page

LINE = "panel_request"


def line(caplog: pytest.LogCaptureFixture) -> logging.LogRecord:
    """The last request's line."""
    return [record for record in caplog.records if record.getMessage() == LINE][-1]


def changed(panel: Panel, **settings: object) -> Flask:
    """The application with other settings."""
    panel.settings = dataclasses.replace(panel.settings, **settings)  # type: ignore[arg-type]
    return create_app(panel)


def test_every_answer_has_an_id_of_its_own(visit: Visit) -> None:
    """Pages, files, errors and probes; a visitor's own id is not taken."""
    browser, seen = visit(StaffRole.OWNER), set()
    paths = ("/", "/login", "/nothing", "/static/panel.css", "/healthz", "/readyz", "/setup/x")
    for path in paths:
        with browser.get(path, headers={"X-Request-ID": "forged-forged"}) as answer:
            seen.add(answer.headers["X-Request-ID"])
    assert len(seen) == len(paths) and "forged-forged" not in seen


def test_an_id_is_taken_from_a_proxy_that_is_trusted(panel: Panel) -> None:
    """So that one request has one id everywhere; what is no id is replaced."""
    browser = changed(panel, trusted_proxies=1).test_client()
    answers = [
        browser.get("/login", headers={"X-Request-ID": given}).headers["X-Request-ID"]
        for given in ("from-the-proxy.1", 'x"}\u00e4<script>', "short", "x" * 65)
    ]
    assert answers[0] == "from-the-proxy.1"
    assert all(answer.isalnum() and len(answer) == 16 for answer in answers[1:])


def test_a_request_is_one_line_without_a_word_of_the_visitor(
    visit: Visit, caplog: pytest.LogCaptureFixture
) -> None:
    """The rule of the route instead of the path, no query, no header, no cookie."""
    caplog.set_level(logging.INFO)
    browser = visit(StaffRole.OWNER)
    with browser.get("/setup/secret-link?q=secret-query", headers={"Referer": "http://secret"}):
        pass
    said = line(caplog)
    fields = vars(said)
    shown = {name: fields[name] for name in ("method", "route", "status", "address", "admin_id")}
    assert shown == {
        "method": "GET",
        "route": "/setup/<token>",
        "status": 404,
        "address": "127.0.0.1",
        "admin_id": 1,
    }
    assert fields["duration_ms"] >= 0 and len(fields["request_id"]) == 16
    assert "secret" not in str(fields)


def test_unknown_paths_and_methods_are_not_named(
    visit: Visit, caplog: pytest.LogCaptureFixture
) -> None:
    """What somebody invented is told as such."""
    caplog.set_level(logging.INFO)
    with visit(None).open("/invented", method="INVENTED"):
        pass
    fields = vars(line(caplog))
    assert (fields["method"], fields["route"], fields["admin_id"]) == ("other", None, None)


def test_probes_and_files_fill_no_log(visit: Visit, caplog: pytest.LogCaptureFixture) -> None:
    """They are many, and are told at the level DEBUG alone; a file that is missing is not."""
    caplog.set_level(logging.DEBUG)
    for path, level in (
        ("/healthz", "DEBUG"),
        ("/static/panel.css", "DEBUG"),
        ("/static/none.css", "INFO"),
    ):
        with visit(None).get(path):
            pass
        assert line(caplog).levelname == level


def test_an_error_of_ours_says_under_which_id_it_is_in_the_log(
    own_app: Flask, visit: Visit, caplog: pytest.LogCaptureFixture
) -> None:
    """The page has the id and nothing of the error, the log has both."""

    @own_app.get("/login/broken")
    def broken() -> str:
        raise ValueError("a secret of the inside")

    own_app.view_functions["broken"] = anybody(broken)
    answer = visit(None).get("/login/broken")
    number = answer.headers["X-Request-ID"]
    assert answer.status_code == 500 and number in answer.text and "secret" not in answer.text
    (said,) = [record for record in caplog.records if record.exc_info]
    assert vars(said)["request_id"] == number and said.getMessage() == "/login/broken failed"


@pytest.mark.parametrize(
    ("host", "status"),
    [("bot.example.org", 200), ("a.team.example", 200), ("evil.example", 400), ("10.0.0.7", 400)],
)
def test_a_name_of_a_host_that_is_not_ours_is_refused(panel: Panel, host: str, status: int) -> None:
    """Links are made of it; files are refused too, and the refusal says what to set."""
    browser = changed(panel, trusted_hosts=("bot.example.org", ".team.example")).test_client()
    for path in ("/login", "/static/panel.css"):
        with browser.get(path, headers={"Host": host}) as answer:
            assert answer.status_code == status
            assert status == 200 or b"TRUSTED_HOSTS" in answer.data


def test_a_probe_may_come_by_any_address(panel: Panel) -> None:
    """An orchestrator knows the address of a container, and no name of it."""
    browser = changed(panel, trusted_hosts=("bot.example.org",)).test_client()
    assert browser.get("/healthz", headers={"Host": "10.0.0.7:8000"}).status_code == 200


def test_a_request_ties_its_lines_together(own_app: Flask, visit: Visit) -> None:
    """Whatever is logged while a request is answered has its id; what comes later has none."""
    page = Page()
    handle = logs.setup("INFO", "json", app="panel", stream=page)

    @own_app.get("/login/tied")
    def tied() -> str:
        logging.getLogger("services.sample").warning("in between")
        return "well"

    own_app.view_functions["tied"] = anybody(tied)
    with visit(None).get("/login/tied") as answer:
        number = answer.headers["X-Request-ID"]
    logging.getLogger("services.sample").warning("afterwards")
    handle.stop()
    found = {line["event"]: line for line in page.objects()}
    assert found["in between"]["request_id"] == found["panel_request"]["request_id"] == number
    assert "request_id" not in found["afterwards"]
    assert {line["app"] for line in page.objects()} == {"panel"}


def test_a_request_is_one_trace(visit: Visit) -> None:
    """The route and its statements, without the path or a word of the visitor."""
    exporter = InMemorySpanExporter()
    settings = Settings(otel_endpoint="http://127.0.0.1:4318")
    tracing.start(settings, app="panel", exporter=exporter)
    try:
        visit(None).get("/login?next=swordfish")
        tracing._processor.force_flush()
    finally:
        tracing.stop()
    (span,) = exporter.get_finished_spans()
    assert dict(span.attributes or {}) == {"method": "GET", "route": "/login"}
    assert "swordfish" not in span.to_json()
