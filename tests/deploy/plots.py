"""Draw what each panel shows of the running system: `python -m tests.deploy.plots`.

Needs Prometheus, PostgreSQL, Redis and their exporters; writes docs/dashboards.md and its pictures.
"""

from __future__ import annotations

import re
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deploy.grafana.plot import Board, Plot
from deploy.grafana.plots import BOARDS
from tests.conftest import POSTGRES, connect_postgres, on_postgres
from tests.deploy.curves import draw
from tests.deploy.live import WINDOW, Stand
from tests.deploy.tools import ROOT

PAGE = ROOT / "docs" / "dashboards.md"
FOLDER = ROOT / "docs" / "dashboards"
DATABASE = "steadygram_plots"
SECONDS, STEP = 120, 2
HEAD = """# Dashboards

What the panels of [deploy/grafana](../deploy/grafana) show. Grafana draws them; these pictures were
drawn by `python -m tests.deploy.plots` from the same queries. For two minutes the bot, its panel,
PostgreSQL and Redis ran under the real Prometheus, scraped each second, while a few people wrote in
the sandbox, one command failed on purpose, and Telegram was now and then too busy (429) or cut the
connection. `tests/deploy/test_dashboards.py` asks the same queries in each run of the tests.

The board Logs shows lines of Loki and has no picture here.
"""


def name_of(plot: Plot) -> str:
    """The name of a panel in a file's name."""
    return re.sub(r"[^a-z0-9]+", "-", plot.title.lower()).strip("-")


def picture(stand: Stand, plot: Plot, end: float) -> str:
    """A panel's queries over the last minutes."""
    found = [
        (_legend(legend, series["metric"]), [(end - at, float(v)) for at, v in series["values"]])
        for legend, expression in plot.queries
        for series in stand.course(expression, end, SECONDS, STEP)
    ]
    return draw(plot.title, plot.unit, found, SECONDS)


def _legend(legend: str, labels: dict[str, Any]) -> str:
    return re.sub(r"\{\{(\w+)\}\}", lambda match: str(labels.get(match[1], "")), legend)


def write(stand: Stand, boards: tuple[Board, ...]) -> Iterator[str]:
    """Write the pictures of some boards; give the page that shows them."""
    end = time.time()
    for board in boards:
        yield f"\n## {board.title}\n\n{board.about}\n"
        for title, plots in board.rows:
            yield f"\n### {title}\n"
            for plot in plots:
                path = FOLDER / f"{board.name}-{name_of(plot)}.svg"
                path.write_text(picture(stand, plot, end))
                asked = "\n".join(expression for _, expression in plot.queries)
                yield f"\n**{plot.title}.** {plot.about}\n"
                yield f"\n![{plot.title}](dashboards/{path.name})\n"
                yield f"\n```promql\n{asked.replace('$__rate_interval', WINDOW)}\n```\n"


def main() -> int:
    """Run the system for a while and write the page."""
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.svg"):
        old.unlink()
    with connect_postgres(POSTGRES).cursor() as cursor, tempfile.TemporaryDirectory() as folder:
        cursor.execute(f'DROP DATABASE IF EXISTS "{DATABASE}" WITH (FORCE)')
        cursor.execute(f'CREATE DATABASE "{DATABASE}"')
        try:
            with Stand(Path(folder), on_postgres(DATABASE), exporters=True) as stand:
                time.sleep(SECONDS + 10)
                PAGE.write_text(HEAD + "".join(write(stand, BOARDS)))
        finally:
            cursor.execute(f'DROP DATABASE "{DATABASE}" WITH (FORCE)')
    return 0


if __name__ == "__main__":
    sys.exit(main())
