"""Alerts: each one fires for its fault, and is silent for what comes close."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import yaml

from settings import Settings
from tests.deploy.burning import BURNING
from tests.deploy.faults import FAULTS
from tests.deploy.outages import OUTAGES
from tests.deploy.promtool import ALERTS, FOLDER, RECORDS, failures, needed, write
from tests.deploy.test_compose import SERVICES
from tests.deploy.tools import ROOT, run, tool

ALL = [*BURNING, *FAULTS, *OUTAGES]


def test_every_alert_has_a_case() -> None:
    """A new alert needs a fault that fires it, and what comes close."""
    assert sorted(rule["alert"] for rule in ALERTS) == sorted(fault.alert for fault in ALL)
    for fault in ALL:
        assert {bool(moment.says) for moment in fault.moments} == {True, False}, fault.alert


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


def test_alerts_fire_for_their_fault_alone(tmp_path: Path) -> None:
    """Prometheus itself evaluates each alert around its lines, with its words and labels."""
    for fault in ALL:
        write(tmp_path, fault.alert, needed(fault.alert), fault.test())
    assert failures(tmp_path) == {}


def test_the_control_of_the_test_fails(tmp_path: Path) -> None:
    """An alert that is expected without its fault is told."""
    fault = OUTAGES[-1]
    wrong = replace(fault, moments=tuple(replace(each, series={}) for each in fault.moments))
    write(tmp_path, "wrong", needed(fault.alert), wrong.test())
    assert set(failures(tmp_path)) == {"wrong"}


def test_the_configuration_is_one() -> None:
    """`promtool check config` reads it, with its rules."""
    said = run([tool("promtool"), "check", "config", str(FOLDER / "prometheus.yml")])
    assert f"{len(RECORDS)} rules found" in said and f"{len(ALERTS)} rules found" in said


def test_what_is_scraped_is_what_compose_starts() -> None:
    """Each job asks a service of docker-compose.yml, in a network they share, at its port."""
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    assert config["rule_files"] == ["rules.yml", "alerts.yml"]
    targets = {
        job["job_name"]: [each for c in job["static_configs"] for each in c["targets"]]
        for job in config["scrape_configs"]
    }
    assert targets == {
        "bot": ["bot:9090"],
        "panel": ["panel:9092"],
        "postgres": ["postgres-exporter:9187"],
        "redis": ["redis-exporter:9121"],
        "prometheus": ["127.0.0.1:9090"],
    }
    ours = set(SERVICES["prometheus"]["networks"])
    settings = Settings()
    ports = {"bot": settings.metrics_port, "panel": settings.admin_metrics_port}
    for target in targets["bot"] + targets["panel"] + targets["postgres"] + targets["redis"]:
        name, _, port = target.partition(":")
        assert ours & set(SERVICES[name]["networks"]), name
        checked = SERVICES[name]["healthcheck"]["test"][-1]
        assert str(ports.get(name)) == port or f"127.0.0.1:{port}/" in checked, name
