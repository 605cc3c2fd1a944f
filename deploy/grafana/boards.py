"""Write the dashboards as JSON: `python -m deploy.grafana.boards`; they are checked in."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.builders import dashboard, logs, loki, prometheus, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import DataSourceRef

from deploy.grafana.plot import Board, Plot
from deploy.grafana.plots import BOARDS

FOLDER = Path(__file__).parent / "dashboards"
METRICS = DataSourceRef(type_val="prometheus", uid="${metrics}")
LINES = DataSourceRef(type_val="loki", uid="${lines}")


def draw(plot: Plot) -> Any:
    """One panel of curves."""
    panel = timeseries.Panel().title(plot.title).description(plot.about).unit(plot.unit)
    panel = panel.datasource(METRICS).height(8).span(8).fill_opacity(8)
    for place, (legend, expression) in enumerate(plot.queries):
        query = prometheus.Dataquery().expr(expression).legend_format(legend)
        panel = panel.with_target(query.ref_id(chr(ord("A") + place)))
    return panel


def compose(board: Board) -> Any:
    """One dashboard of rows of panels."""
    made = _empty(board.name, board.title, board.about)
    made = made.with_variable(
        dashboard.DatasourceVariable("metrics").label("Metrics").type("prometheus")
    )
    for title, plots in board.rows:
        made = made.with_row(dashboard.Row(title))
        for plot in plots:
            made = made.with_panel(draw(plot))
    return made.build()


def compose_logs() -> Any:
    """The lines themselves, by app and level, with a text to look for."""
    made = _empty("logs", "Logs", "What bot, panel and worker say, from Loki.")
    made = made.with_variable(dashboard.DatasourceVariable("lines").label("Lines").type("loki"))
    made = made.with_variable(dashboard.TextBoxVariable("search").label("Search"))
    counted = 'sum by (app, level) (count_over_time({app=~".+"} |= `$search` [$__interval]))'
    curve = timeseries.Panel().title("Lines by level").unit("short").height(8).span(24)
    curve = curve.description("How many lines a level, of each app.").datasource(LINES)
    curve = curve.with_target(
        loki.Dataquery().expr(counted).legend_format("{{app}} {{level}}").ref_id("A")
    )
    lines = (
        logs.Panel().title("Lines").description("The newest first; an update's id ties its lines.")
    )
    lines = lines.datasource(LINES).height(18).span(24).show_time(True)
    lines = lines.with_target(loki.Dataquery().expr('{app=~".+"} |= `$search`').ref_id("A"))
    return made.with_panel(curve).with_panel(lines).build()


def _empty(name: str, title: str, about: str) -> Any:
    made = dashboard.Dashboard(f"Steadygram: {title}").uid(f"steadygram-{name}").description(about)
    return (
        made.tags(["steadygram"])
        .refresh("30s")
        .time("now-6h", "now")
        .timezone("browser")
        .readonly()
    )


def texts() -> dict[str, str]:
    """Every file by its name."""
    made = {board.name: compose(board) for board in BOARDS} | {"logs": compose_logs()}
    encode = JSONEncoder(sort_keys=True, indent=2).encode
    return {f"{name}.json": encode(each) + "\n" for name, each in made.items()}


def main() -> int:
    """Write the files."""
    for name, text in texts().items():
        (FOLDER / name).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
