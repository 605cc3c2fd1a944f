"""Loki and Alloy: both files are well-formed, and a line has three labels and no more."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from tests.deploy.tools import ROOT

ALLOY = (ROOT / "deploy/alloy/config.alloy").read_text()
LOKI: dict[str, Any] = yaml.safe_load((ROOT / "deploy/loki/loki.yml").read_text())
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
LABELS = ["app", "env", "level"]
PAIRS = {"}": "{", "]": "[", ")": "("}


def blocks(text: str) -> dict[str, str]:
    """The blocks of a file of Alloy's by the words before their brace; ValueError for none."""
    bare = re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE)
    opened: list[tuple[str, str, int]] = []
    found: dict[str, str] = {}
    for match in re.finditer(r'"[^"\n]*"|[{}\[\]()]', bare):
        sign = match[0]
        if sign in PAIRS.values():
            before = bare[: match.start()].rpartition("\n")[2].strip()
            opened.append((sign, before, match.end()))
        elif sign in PAIRS:
            if not opened or opened[-1][0] != PAIRS[sign]:
                raise ValueError(f"{sign} closes nothing")
            _, name, start = opened.pop()
            found[name] = bare[start : match.start()]
    if opened:
        raise ValueError(f"{opened[-1][1]} is not closed")
    return found


def strings(text: str) -> list[str]:
    """What stands in quotation marks."""
    return re.findall(r'"([^"\n]*)"', text)


def test_alloys_file_is_well_formed() -> None:
    """Its blocks are balanced, each has a name; the controls lack a brace at either end."""
    assert "" not in blocks(ALLOY)
    for wrong in (ALLOY.replace('"level" {', '"level" '), ALLOY.rstrip().removesuffix("}")):
        with pytest.raises(ValueError, match="close"):
            blocks(wrong)


def test_a_line_has_three_labels() -> None:
    """What makes a label is one of these, and the last stage keeps no other."""
    found = blocks(ALLOY)
    (kept,) = re.findall(r"values = (\[.*\])", found["stage.label_keep"])
    assert strings(kept) == LABELS
    assert re.findall(r'target_label +=\s*"(\w+)"', ALLOY) == ["app"]
    assert re.findall(r"(\w+) =", found["stage.labels"].partition("{")[2]) == ["level"]
    assert re.findall(r"(\w+) =", found["stage.static_labels"].partition("{")[2]) == ["env"]
    stages = re.findall(r"stage\.\w+", found['loki.process "level"'])
    assert stages[-1] == "stage.label_keep", "what comes later would add to them"
    assert "external_labels" not in ALLOY


def test_every_line_takes_that_way() -> None:
    """From the containers through the stages to Loki, under its name and port in Compose."""
    found = blocks(ALLOY)
    assert "forward_to = [loki.process.level.receiver]" in found['loki.source.docker "lines"']
    assert "forward_to = [loki.write.loki.receiver]" in found['loki.process "level"']
    port = LOKI["server"]["http_listen_port"]
    assert strings(found["endpoint"]) == [f"http://loki:{port}/loki/api/v1/push"]
    assert set(COMPOSE["services"]["loki"]["networks"]) & set(
        COMPOSE["services"]["alloy"]["networks"]
    )
    assert strings(found["filter"]) == ["label", f"com.docker.compose.project={COMPOSE['name']}"]


def test_loki_adds_no_label() -> None:
    """From release 3 on it makes service_name of what it finds, unless it is told not to."""
    assert LOKI["limits_config"]["discover_service_name"] == []


def test_loki_keeps_thirty_days_and_tells_nobody() -> None:
    """On a volume, by a compactor that deletes; nothing is reported to its makers."""
    assert LOKI["limits_config"]["retention_period"] == f"{30 * 24}h"
    assert LOKI["compactor"]["retention_enabled"] is True
    assert LOKI["common"]["path_prefix"] == "/loki"
    assert LOKI["analytics"] == {"reporting_enabled": False}
