"""Alerts: each one fires for its fault, and is silent without it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent.parent
FOLDER = ROOT / "deploy" / "prometheus"
PROMTOOL = shutil.which("promtool")
ALERTS = [
    rule
    for group in yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]

UP = {"BotGone": "bot", "PanelGone": "panel"}
ERRORS = ('bot_messages_total{handler="a.b",status="error"}', 'bot_messages_total{status="ok"}')
SLOW = (
    'bot_update_seconds_bucket{le="2.0"}',
    "bot_update_seconds_count",
    'bot_messages_total{status="ok"}',
)
FAILS = (
    'panel_http_request_total{job="panel",status="500"}',
    'panel_http_request_total{job="panel",status="200"}',
)
LONG = "x100"
"""Samples of two minutes over more than three hours: a rate needs no whole window."""

Series = dict[str, str]


def burning(bad: tuple[str, ...], wrong: tuple[str, ...], right: tuple[str, ...]) -> list[Series]:
    """Two series that burn the budget, and the same two when they do not."""
    return [dict(zip(bad, wrong)), dict(zip(bad, right))]


CASES: dict[str, list[Series]] = {
    **dict.fromkeys(
        ("UpdatesFailFast", "UpdatesFail", "UpdatesFailSlow"),
        burning(ERRORS, (f"0+5{LONG}", f"0+95{LONG}"), (f"0+0{LONG}", f"0+100{LONG}")),
    ),
    **dict.fromkeys(
        ("UpdatesSlowFast", "UpdatesSlow", "UpdatesSlowSlow"),
        burning(SLOW, (f"0+50{LONG}", *[f"0+100{LONG}"] * 2), (f"0+100{LONG}",) * 3),
    ),
    **dict.fromkeys(
        ("PanelFailsFast", "PanelFails", "PanelFailsSlow"),
        burning(FAILS, (f"0+5{LONG}", f"0+95{LONG}"), (f"0+0{LONG}", f"0+100{LONG}")),
    ),
    "BotGone": [{'up{job="bot"}': f"0{LONG}"}, {'up{job="bot"}': f"1{LONG}"}],
    "PanelGone": [{'up{job="panel"}': f"0{LONG}"}, {'up{job="panel"}': f"1{LONG}"}],
    "InboxOld": [
        {"bot_inbox_oldest_age_seconds": f"90{LONG}"},
        {"bot_inbox_oldest_age_seconds": f"5{LONG}"},
    ],
    "PollerSilent": [
        {"bot_poll_last_success_timestamp_seconds": f"0{LONG}"},
        {"bot_poll_last_success_timestamp_seconds": f"0+120{LONG}"},
    ],
    "TwoPollers": burning(
        (
            'bot_api_requests_total{method="getUpdates",code="409"}',
            'bot_api_requests_total{method="getUpdates",code="200"}',
        ),
        (f"0+20{LONG}", f"0+1{LONG}"),
        (f"0{LONG}", f"0+100{LONG}"),
    ),
    "NobodyPolls": [{"bot_poller_leader": f"0{LONG}"}, {"bot_poller_leader": f"1{LONG}"}],
    "PluginFails": [
        {'bot_messages_total{handler="notes.add",status="error"}': f"0+2{LONG}"},
        {'bot_messages_total{handler="notes.add",status="error"}': f"7{LONG}"},
    ],
    "PluginSuspended": [
        {'bot_plugin_state{plugin="notes"}': f"-1{LONG}"},
        {'bot_plugin_state{plugin="notes"}': f"0{LONG}"},
    ],
    "TooFast": [
        {'bot_api_429_total{scope="chat"}': f"0+60{LONG}"},
        {'bot_api_429_total{scope="chat"}': f"0+1{LONG}"},
    ],
    "SendsAmbiguous": [
        {'bot_sends_ambiguous_total{method="sendMessage"}': f"0+2{LONG}"},
        {'bot_sends_ambiguous_total{method="sendMessage"}': f"3{LONG}"},
    ],
    "NewsQueueOld": [
        {"bot_messages_oldest_age_seconds": f"900{LONG}"},
        {"bot_messages_oldest_age_seconds": f"1{LONG}"},
    ],
    "DatabaseDown": [
        {"pg_up": f"0{LONG}", 'up{job="postgres"}': f"1{LONG}"},
        {"pg_up": f"1{LONG}", 'up{job="postgres"}': f"1{LONG}"},
    ],
    "RedisDown": [
        {"redis_up": f"0{LONG}", 'up{job="redis"}': f"1{LONG}"},
        {"redis_up": f"1{LONG}", 'up{job="redis"}': f"1{LONG}"},
    ],
    "DiskFull": [{"bot_disk_free_ratio": f"0.05{LONG}"}, {"bot_disk_free_ratio": f"0.5{LONG}"}],
    "BackupOld": [
        {"bot_backup_last_success_timestamp_seconds": f"-200000{LONG}"},
        {"bot_backup_last_success_timestamp_seconds": f"0+120{LONG}"},
    ],
    "BackupMissing": [
        {"bot_disk_free_ratio": f"1{LONG}"},
        {"bot_backup_last_success_timestamp_seconds": f"0{LONG}"},
    ],
}
AT = "3h"


def group(rule: dict[str, Any], series: Series, *, fires: bool) -> dict[str, Any]:
    """One test of promtool's: after three hours the alert fires, or it does not.

    Labels and words are promtool's to compare too, so the test asks for the alert's own series.
    """
    said = f'count(ALERTS{{alertname="{rule["alert"]}",alertstate="firing"}}) > bool 0'
    asked: dict[str, Any] = {"expr": said, "eval_time": AT}
    asked["exp_samples"] = [{"labels": "{}", "value": 1}] if fires else []
    return {
        "name": f"{rule['alert']} {'fires' if fires else 'is silent'}",
        "interval": "2m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [asked],
    }


def test_every_alert_has_a_case() -> None:
    """A new alert needs a fault that fires it, and its absence."""
    assert {rule["alert"] for rule in ALERTS} == set(CASES)
    assert all(len(cases) == 2 for cases in CASES.values())


def test_every_alert_leads_to_what_to_do() -> None:
    """Its runbook is a heading of docs/operations.md."""
    page = (ROOT / "docs" / "operations.md").read_text()
    headings = {
        re.sub(r"[^\w -]", "", line.lstrip("# ").lower()).replace(" ", "-")
        for line in page.splitlines()
        if line.startswith("#")
    }
    anchors = {rule["annotations"]["runbook"].partition("#")[2] for rule in ALERTS}
    assert anchors <= headings, anchors - headings


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")
@pytest.mark.parametrize("fires", [True, False], ids=["fires", "silent"])
def test_alerts_fire_for_their_fault_alone(tmp_path: Path, *, fires: bool) -> None:
    """Prometheus itself evaluates the rules over three hours of each fault, and of its absence."""
    tests = [group(rule, CASES[rule["alert"]][0 if fires else 1], fires=fires) for rule in ALERTS]
    wanted = {
        "rule_files": [str(FOLDER / "rules.yml"), str(FOLDER / "alerts.yml")],
        "evaluation_interval": "4m",
        "tests": tests,
    }
    (tmp_path / "tests.yml").write_text(json.dumps(wanted))
    said = subprocess.run(
        [PROMTOOL or "", "test", "rules", str(tmp_path / "tests.yml")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 0, said.stdout + said.stderr


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")
def test_the_control_of_the_test_fails(tmp_path: Path) -> None:
    """An alert that is expected without its fault is told."""
    wanted = {
        "rule_files": [str(FOLDER / "alerts.yml")],
        "tests": [group(ALERTS[0], {}, fires=True)],
    }
    (tmp_path / "tests.yml").write_text(json.dumps(wanted))
    said = subprocess.run(
        [PROMTOOL or "", "test", "rules", str(tmp_path / "tests.yml")],
        check=False,
        capture_output=True,
    )
    assert said.returncode != 0


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")
def test_the_configuration_is_one() -> None:
    """`promtool check config` reads it, with its rules."""
    subprocess.run([PROMTOOL or "", "check", "config", str(FOLDER / "prometheus.yml")], check=True)
