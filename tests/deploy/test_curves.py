"""Pictures of panels: well-formed, with round axes, gaps where there is no number."""

from __future__ import annotations

import math
from xml.etree import ElementTree as ET

import pytest

from deploy.grafana.plots import BOARDS
from tests.deploy import plots
from tests.deploy.curves import UNITS, ceiling, draw, say


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (0, "s", "0 s"),
        (0.25, "s", "250 ms"),
        (0.25, "reqps", "0.25 /s"),
        (2_500_000, "bytes", "2.5 MB"),
        (0.075, "percentunit", "7.5 %"),
        (12, "short", "12"),
    ],
)
def test_a_value_is_said_as_short_as_it_can_be(value: float, unit: str, said: str) -> None:
    """With its unit, and a prefix where people use one."""
    assert say(value, unit) == said


@pytest.mark.parametrize(("value", "top"), [(0, 1), (0.03, 0.04), (1, 1), (33, 40), (4.5, 5)])
def test_an_axis_ends_at_a_round_number(value: float, top: float) -> None:
    """At or just above the highest value."""
    assert ceiling(value) == pytest.approx(top)


def test_a_picture_is_well_formed_whatever_a_series_is_called() -> None:
    """Names are escaped, a gap begins a new stroke, nothing at all is an empty picture."""
    course = [(20.0, 1.0), (10.0, math.nan), (0.0, 3.0)]
    picture = draw("<b>", "s", [("a&b<c>", course)], 20)
    ET.fromstring(picture)  # noqa: S314  our own
    assert "a&amp;b&lt;c&gt;" in picture and picture.count("M") >= 2
    ET.fromstring(draw("t", "short", [], 20))  # noqa: S314


def test_every_unit_is_known() -> None:
    """And every panel has a picture of its own name in the page."""
    page = plots.PAGE.read_text()
    names = []
    for board in BOARDS:
        for _, panels in board.rows:
            for plot in panels:
                assert plot.unit in UNITS
                names.append(f"dashboards/{board.name}-{plots.name_of(plot)}.svg")
    assert len(set(names)) == len(names)
    assert [name for name in names if name not in page] == []
    assert {f"dashboards/{path.name}" for path in plots.FOLDER.iterdir()} == set(names)
