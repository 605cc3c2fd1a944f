"""The metrics: names, closed label sets, and the port they are served on."""

from __future__ import annotations

import socket
import urllib.request
from itertools import product

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from bot.metrics import METHODS, Metrics
from settings import SettingsError

NAMES = """
bot_messages_total bot_commands_total bot_errors_total bot_response_time_seconds bot_active_users
bot_updates_received_total bot_updates_duplicate_total bot_inbox_depth
bot_inbox_oldest_age_seconds bot_api_requests_total bot_api_duration_seconds bot_api_429_total
bot_poll_last_success_timestamp_seconds bot_poller_leader bot_broadcast_recipients
bot_plugin_state bot_sends_ambiguous_total bot_update_seconds bot_messages_oldest_age_seconds
bot_disk_free_ratio
"""


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(CollectorRegistry())


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def series(metrics: Metrics) -> int:
    return sum(len(family.samples) for family in metrics.registry.collect())


def test_every_metric_of_the_interface_is_there(metrics: Metrics) -> None:
    """The names that dashboards and alerts rely on are all exposed."""
    text = generate_latest(metrics.registry).decode()
    assert [name for name in NAMES.split() if f"# TYPE {name} " not in text] == []


def test_a_registry_of_its_own_tells_of_the_process_too() -> None:
    """Without a registry given, memory and CPU of the process are in the scrape."""
    assert b"process_resident_memory_bytes" in generate_latest(Metrics().registry)


def test_short_hands_count(metrics: Metrics) -> None:
    """Each short hand counts into its metrics."""
    metrics.allow_commands("ping")
    metrics.message("start.start", "ok", 0.02)
    metrics.command("ping")
    metrics.error("ValueError")
    metrics.received("callback_query")
    metrics.api("sendMessage", "200", 0.1)
    assert value(metrics, "bot_messages_total", handler="start.start", status="ok") == 1
    assert value(metrics, "bot_response_time_seconds_sum", handler="start.start") == 0.02
    assert value(metrics, "bot_commands_total", command="ping") == 1
    assert value(metrics, "bot_errors_total", error_type="ValueError") == 1
    assert value(metrics, "bot_updates_received_total", kind="callback_query") == 1
    assert value(metrics, "bot_api_requests_total", method="sendMessage", code="200") == 1
    assert value(metrics, "bot_api_duration_seconds_count", method="sendMessage") == 1


def test_what_is_not_in_the_set_counts_as_other(metrics: Metrics) -> None:
    """Unknown methods, codes, kinds and commands share one series."""
    for number in range(3):
        metrics.api(f"method{number}", str(number), 0.1)
        metrics.received(f"kind{number}")
        metrics.command(f"typed{number}")
    assert value(metrics, "bot_api_requests_total", method="other", code="other") == 3
    assert value(metrics, "bot_updates_received_total", kind="other") == 3
    assert value(metrics, "bot_commands_total", command="other") == 3


def test_the_number_of_series_is_bounded(metrics: Metrics) -> None:
    """Thousands of different names of every sort add nothing once the room is used."""
    fill(metrics, 1_000)
    before = series(metrics)
    fill(metrics, 3_000)
    assert series(metrics) == before
    assert len(metrics.commands._children) == 0


def test_what_alerts_ask_for_begins_at_nothing(metrics: Metrics) -> None:
    """A series that is first scraped after a burst has no increase, and no alert sees it."""
    metrics.preset(["start.start", "echo.echo"])
    for handler, status in product(
        ("none", "other", "start.start", "echo.echo"), ("ok", "error", "suspended")
    ):
        assert value(metrics, "bot_messages_total", handler=handler, status=status) == 0
    for code in ("200", "409"):
        assert value(metrics, "bot_api_requests_total", method="getUpdates", code=code) == 0
    for scope in ("chat", "all"):
        assert value(metrics, "bot_api_429_total", scope=scope) == 0
    assert value(metrics, "bot_sends_ambiguous_total", method="sendMessage") == 0


def test_a_conflict_is_told_however_much_was_called_before(metrics: Metrics) -> None:
    """Its series is taken at the start; another one comes too late and is `other`."""
    metrics.preset([])
    for method, code in product(sorted(METHODS - {"getUpdates"})[:100], ("200", "400", "403")):
        metrics.api(method, code, 0.1)
    metrics.api("getUpdates", "409", 0.1)
    metrics.api("getUpdates", "502", 0.1)
    assert value(metrics, "bot_api_requests_total", method="getUpdates", code="409") == 1
    assert value(metrics, "bot_api_requests_total", method="getUpdates", code="502") is None
    assert value(metrics, "bot_api_requests_total", method="other", code="502") == 1


def test_many_handlers_leave_room_for_what_nobody_foresaw(metrics: Metrics) -> None:
    """Failures go first; a quarter of the room stays."""
    metrics.preset(f"plugin.handler{number}" for number in range(100))
    (found,) = [each for each in metrics.registry.collect() if each.name == "bot_messages"]
    counted = [s.labels["status"] for s in found.samples if s.name == "bot_messages_total"]
    assert len(counted) == 150 and counted.count("error") == 102
    metrics.message("none", "ignored", 0.1)
    assert value(metrics, "bot_messages_total", handler="none", status="ignored") == 1


def fill(metrics: Metrics, count: int) -> None:
    for number in range(count):
        name = f"n{number}"
        metrics.command(name)
        metrics.received(name)
        metrics.api(name, name, 0.1)
        metrics.api_429(name).inc()
        metrics.sends_ambiguous(name).inc()
        metrics.error(name)
        metrics.messages("none", name).inc()
        metrics.plugin_state(name).set(1)
        metrics.active_users(name).set(1)


def test_children_are_bound_once(metrics: Metrics) -> None:
    """The same labels give the same child, so that counting is a look-up and an addition."""
    assert metrics.api_429("chat") is metrics.api_429("chat")


def test_scrapes_are_answered(metrics: Metrics) -> None:
    """The port answers with the registry, and without the times at which series began."""
    metrics.updates_duplicate.inc()
    server = metrics.serve(0, "127.0.0.1")
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/metrics") as reply:
            text = reply.read().decode()
    finally:
        server.shutdown()
        server.server_close()
    assert "bot_updates_duplicate_total 1.0" in text
    assert "_created" not in text


def test_a_busy_port_is_one_sentence(metrics: Metrics) -> None:
    """A port in use is said with the setting that changes it."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=rf"^port {port} is taken .* METRICS_PORT") as said:
            metrics.serve(port, "127.0.0.1")
    assert "\n" not in str(said.value)


def test_a_port_that_cannot_be_had_is_one_sentence(metrics: Metrics) -> None:
    """Any other trouble with the port is said too."""
    with pytest.raises(SettingsError, match=r"^port 0 cannot be used"):
        metrics.serve(0, "192.0.2.1")
