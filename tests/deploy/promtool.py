"""promtool: alerts judged by Prometheus itself, each with nothing but the rules it asks for."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import promql_parser
import yaml

from tests.deploy.tools import ROOT, tool

FOLDER = ROOT / "deploy" / "prometheus"
Rule = dict[str, Any]


def read(name: str) -> list[Rule]:
    """The rules of a file, whatever their group."""
    groups = yaml.safe_load((FOLDER / name).read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


RECORDS, ALERTS = read("rules.yml"), read("alerts.yml")


def needed(alert: str) -> list[Rule]:
    """The alert's own rule, after what is recorded for it."""
    rule = next(rule for rule in ALERTS if rule["alert"] == alert)
    names = set(re.findall(r"\w+:\w+:\w+", rule["expr"]))
    return [*(record for record in RECORDS if record["record"] in names), rule]


def write(folder: Path, name: str, rules: list[Rule], test: dict[str, Any]) -> None:
    """Write a file of tests, and the rules it is about. ValueError for what is no PromQL."""
    for rule in rules:
        promql_parser.parse(rule["expr"])
    whole: Rule = {"groups": [{"name": "judged", "rules": rules}]}
    (folder / f"{name}.rules.yml").write_text(json.dumps(whole))
    whole = {"rule_files": [f"{name}.rules.yml"], **test}
    (folder / f"{name}.test.yml").write_text(json.dumps(whole))


def failures(folder: Path) -> dict[str, str]:
    """Run every file of tests there; the names of those that fail, with what promtool says."""
    names = sorted(path.name for path in folder.glob("*.test.yml"))
    said = subprocess.run(
        [tool("promtool"), "test", "rules", *names],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    parts = re.split(r"Unit Testing:\s+(\S+)\.test\.yml", said.stdout + said.stderr)
    told = dict(zip(parts[1::2], parts[2::2]))
    assert len(told) == len(names), said.stdout + said.stderr
    return {name: text for name, text in told.items() if "SUCCESS" not in text}
