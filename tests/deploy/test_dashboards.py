"""Dashboards: made by code, each panel explained, each query answered by the running system."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from deploy.grafana import boards
from deploy.grafana.plot import Board
from deploy.grafana.plots import BOARDS, BOT, DATABASE, PANEL
from tests.conftest import HAS_POSTGRES, HAS_REDIS
from tests.deploy.live import PROMETHEUS, WINDOW, Stand, has_exporters, panel_counts
from tests.deploy.tools import ROOT

FOLDER = ROOT / "deploy" / "grafana"
ALWAYS_THERE = {"up"}
RULES = [
    rule
    for name in ("rules.yml", "alerts.yml")
    for group in yaml.safe_load((PROMETHEUS / name).read_text())["groups"]
    for rule in group["rules"]
]
JOBS = {"pg_": "postgres", "redis_": "redis", "panel": "panel", "bot": "bot", "process_": "bot"}
"""Whose metrics begin so; what the panel records begins with panel too."""


def queries(board: Board) -> Iterator[tuple[str, str]]:
    """Each panel's title with each of its expressions."""
    for _, plots in board.rows:
        for plot in plots:
            for _, expression in plot.queries:
                yield plot.title, expression


def parsed(expression: str) -> Any:
    return promql_parser.parse(expression.replace("$__rate_interval", WINDOW))


def selectors(tree: Any) -> Iterator[str]:
    """The names of the metrics that an expression asks for."""
    if isinstance(tree, promql_parser.VectorSelector):
        yield str(tree.name)
    for part in ("lhs", "rhs", "expr", "vector_selector", "param"):
        if (inside := getattr(tree, part, None)) is not None:
            yield from selectors(inside)
    for inside in getattr(tree, "args", None) or ():
        yield from selectors(inside)


def asked(jobs: set[str]) -> set[str]:
    """The metrics of some jobs that any rule, alert or panel asks for."""
    texts = [rule["expr"] for rule in RULES]
    texts += [expression for board in BOARDS for _, expression in queries(board)]
    names = {name for text in texts for name in selectors(parsed(text))} - ALWAYS_THERE
    return {name for name in names if job_of(name) in jobs}


def job_of(name: str) -> str:
    return next(job for start, job in JOBS.items() if name.startswith(start))


def test_what_is_checked_in_is_what_the_code_makes() -> None:
    """`python -m deploy.grafana.boards` was run after the last change."""
    texts = boards.texts()
    assert {path.name for path in boards.FOLDER.glob("*.json")} == set(texts)
    assert [n for n, text in texts.items() if (boards.FOLDER / n).read_text() != text] == []


@pytest.mark.parametrize("name", ["bot", "panel", "database", "logs"])
def test_a_panel_says_what_it_shows(name: str) -> None:
    """Unit, title and description; a data source that can be chosen; a query."""
    board = json.loads((boards.FOLDER / f"{name}.json").read_text())
    variables = {f"${{{each['name']}}}" for each in board["templating"]["list"]}
    panels = [panel for panel in board["panels"] if panel["type"] != "row"]
    assert board["uid"] == f"steadygram-{name}" and board["title"] and board["description"]
    assert len({panel["title"] for panel in panels}) == len(panels)
    for panel in panels:
        assert panel["title"] and panel["description"].endswith("."), panel["title"]
        assert panel["datasource"]["uid"] in variables
        assert all(target["expr"] for target in panel["targets"])
        if panel["type"] != "logs":
            assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: str(board.name))
def test_every_expression_parses(board: Board) -> None:
    """And asks for a metric; the control does not parse."""
    for title, expression in queries(board):
        assert list(selectors(parsed(expression))), title
    with pytest.raises(ValueError, match="unclosed"):
        parsed("sum by (rate(bot_messages_total[5m])")


def test_every_rule_parses() -> None:
    """Recording rules and alerts."""
    assert all(list(selectors(parsed(rule["expr"]))) for rule in RULES)


def test_what_is_provisioned_is_there() -> None:
    """The data sources have the kinds that the dashboards choose from, the folder is mounted."""
    sources = yaml.safe_load((FOLDER / "provisioning/datasources/sources.yml").read_text())
    assert {each["type"] for each in sources["datasources"]} == {"prometheus", "loki"}
    made = yaml.safe_load((FOLDER / "provisioning/dashboards/boards.yml").read_text())
    path = made["providers"][0]["options"]["path"]
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    mounted = compose["services"]["grafana"]["volumes"]
    assert f"./deploy/grafana/dashboards:{path}:ro" in mounted


def look(stand: Stand, asked_boards: list[Board], jobs: set[str]) -> None:
    """Wait until every panel has data and every metric is there; say which are missing."""
    wanted = {(b.name, t, e) for b in asked_boards for t, e in queries(b)}
    names = asked(jobs)

    def missing() -> bool:
        wanted.difference_update([each for each in wanted if stand.values(each[2])])
        names.difference_update(stand.names())
        return not (wanted or names)

    stand.wait_for(missing, lambda: f"{sorted(wanted)}\n{sorted(names)}\n{stand.logs()}")


def test_the_running_bot_answers_every_panel_of_its_board(tmp_path: Path) -> None:
    """Bot and sandbox under Prometheus: each query gives numbers, each metric exists."""
    with Stand(tmp_path, f"sqlite:///{tmp_path / 'bot.db'}", panel=False) as stand:
        look(stand, [BOT], {"bot"})
        assert stand.values("bot_no_such_metric") == []


@pytest.mark.long
def test_the_whole_system_answers_every_panel(
    tmp_path: Path, make_postgres: Callable[[str], str]
) -> None:
    """With the panel, PostgreSQL, Redis and their exporters, where they are."""
    all_there = has_exporters() and HAS_POSTGRES and HAS_REDIS
    url = make_postgres("live") if HAS_POSTGRES else f"sqlite:///{tmp_path / 'bot.db'}"
    with Stand(tmp_path, url, exporters=all_there) as stand:
        shown = [BOT, *[PANEL] * panel_counts(), *[DATABASE] * all_there]
        look(stand, shown, {*stand.ports} - {"prometheus"})
