"""What alerts ask for: each record has its value, and its siblings differ by the window alone."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.mutants import shapes
from tests.deploy.promtool import ALERTS, RECORDS, failures, write

MESSAGES, SECONDS, REQUESTS = "bot_messages_total", "bot_update_seconds", "panel_http_request_total"
COUNTED = {"ok": 50, "ignored": 20, "denied": 6, "blocked": 20, "suspended": 2}
UNCOUNTED = ("throttled", "banned", "silent")
SCRAPED: dict[str, float] = {
    **{f'{MESSAGES}{{handler="notes.{n}",status="error"}}': 1 for n in ("add", "list")},
    **{f'{MESSAGES}{{handler="notes.add",status="{s}"}}': n for s, n in COUNTED.items()},
    **{f'{MESSAGES}{{handler="none",status="{s}"}}': 300 for s in UNCOUNTED},
    **{f'{SECONDS}_count{{instance="{each}"}}': 10 for each in "ab"},
    **{
        f'{SECONDS}_bucket{{le="{le}",instance="{each}"}}': n
        for le, n in (("1.0", 5), ("2.0", 8), ("5.0", 9))
        for each in "ab"
    },
    **{
        f'{REQUESTS}{{job="panel",status="{status}"}}': n
        for status, n in ((500, 1), (503, 1), (200, 30), (404, 18))
    },
    **{f'{REQUESTS}{{job="other",status="{status}"}}': 100 for status in (500, 200)},
}
"""What is counted in each minute."""
VALUES: dict[str, float] = {
    "bot:update_errors:ratio_rate1h": 0.04,
    "bot:update_errors:increase1h": 240,
    "bot:update_slow:ratio_rate1h": 0.2,
    "bot:update_slow:increase1h": 240,
    "panel:request_errors:ratio_rate1h": 0.04,
    "panel:request_errors:increase1h": 120,
}
HOUR = [record for record in RECORDS if record["record"] in VALUES]


def ask(series: dict[str, float], name: str, value: float | None) -> dict[str, Any]:
    """A test of promtool's: what is recorded after two hours in which so much is counted."""
    samples = [{"labels": "{}", "value": value}] if value is not None else []
    test = {
        "interval": "1m",
        "input_series": [{"series": s, "values": f"0+{by}x120"} for s, by in series.items()],
        "promql_expr_test": [
            {"expr": f"round({name}, 0.0001)", "eval_time": "2h", "exp_samples": samples}
        ],
    }
    return {"evaluation_interval": "1m", "tests": [test]}


def test_windows_are_recorded_alike() -> None:
    """What is recorded for a window differs from its siblings by the window alone."""
    shapes: dict[str, set[str]] = {}
    for record in RECORDS:
        name, window, _ = re.split(r"(\d+[mhd])$", record["record"])
        shapes.setdefault(name, set()).add(record["expr"].replace(f"[{window}]", "[WINDOW]"))
    assert len(shapes) == 6
    for name, shape in shapes.items():
        assert len(shape) == 1, name
        assert set(re.findall(r"\[(.*?)\]", "".join(shape))) == {"WINDOW"}, name


def test_nothing_is_recorded_in_vain() -> None:
    """Every record is asked for by an alert, and every one that is asked for is made."""
    asked = {name for rule in ALERTS for name in re.findall(r"\w+:\w+:\w+", rule["expr"])}
    assert asked == {record["record"] for record in RECORDS}


def test_a_record_has_its_value(tmp_path: Path) -> None:
    """Suspended counts as failed, what is to get no answer not at all, other jobs neither."""
    for record in HOUR:
        name = record["record"]
        write(tmp_path, name.replace(":", "-"), [record], ask(SCRAPED, name, VALUES[name]))
    assert len(HOUR) == len(VALUES)
    assert failures(tmp_path) == {}


def test_a_wrong_record_is_found_out(tmp_path: Path) -> None:
    """Each word and matcher changed or left out; windows are looked at above."""
    wrong = [
        {**record, "expr": expr}
        for record in HOUR
        for expr in shapes(record["expr"])
        if expr.count("[1h]") == record["expr"].count("[1h]")
    ]
    for number, record in enumerate(wrong):
        name = record["record"]
        write(tmp_path, str(number), [record], ask(SCRAPED, name, VALUES[name]))
    caught = failures(tmp_path)
    assert len(wrong) > 20
    assert [record for n, record in enumerate(wrong) if str(n) not in caught] == []


@pytest.mark.parametrize("name", ["bot:update_errors", "panel:request_errors"])
def test_no_failure_is_a_share_too(tmp_path: Path, name: str) -> None:
    """Before the first failure there is no series of it, and the share is 0; of nothing, none."""
    none_failed = {
        series: by for series, by in SCRAPED.items() if not re.search("error|suspended|50", series)
    }
    for record in HOUR:
        if (whole := record["record"]).startswith(name):
            nothing = None if "ratio" in whole else 0
            write(tmp_path, whole.replace(":", "-"), [record], ask(none_failed, whole, 0))
            write(tmp_path, f"{len(whole)}-none", [record], ask({}, whole, nothing))
    assert failures(tmp_path) == {}
