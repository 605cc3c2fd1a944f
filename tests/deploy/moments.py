"""Moments: what is scraped, and what an alert says of it then, as promtool's tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

LONG = "x200"
"""Samples of one series: more than any moment here is late."""
UP, DOWN = f"1{LONG}", f"0{LONG}"
A, B = 'job="bot",instance="a"', 'job="bot",instance="b"'
"""Two processes of the bot."""


@dataclass(frozen=True, slots=True)
class Moment:
    """What is scraped from the start, and whether the alert fires `at` so many seconds.

    `says` is the summary of the alert that fires; without it none does.
    """

    series: Mapping[str, str]
    at: float
    says: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fault:
    """An alert, what it must say of itself, and the moments that tell it from any other rule."""

    alert: str
    severity: str
    runbook: str
    step: int
    """Seconds between two scrapes, and two evaluations."""
    moments: tuple[Moment, ...]

    def test(self) -> dict[str, Any]:
        """The same as promtool's file of tests."""
        return {
            "evaluation_interval": f"{self.step}s",
            "tests": list(map(self._test, self.moments)),
        }

    def _test(self, moment: Moment) -> dict[str, Any]:
        said = {
            "exp_labels": {"severity": self.severity, **moment.labels},
            "exp_annotations": {
                "summary": moment.says,
                "runbook": f"docs/operations.md#{self.runbook}",
            },
        }
        asked = {"alertname": self.alert, "eval_time": f"{moment.at:.0f}s"}
        return {
            "interval": f"{self.step}s",
            "input_series": [{"series": s, "values": v} for s, v in moment.series.items()],
            "alert_rule_test": [{**asked, "exp_alerts": [said] if moment.says else []}],
        }


def grows(by: float, start: float = 0) -> str:
    """A number that changes by so much in each step."""
    return f"{start}+{by}{LONG}"


def around(
    last: float, step: int, says: str, bad: Mapping[str, str], **labels: str
) -> tuple[Moment, Moment]:
    """A fault's first moment of firing, and the evaluation before it."""
    return Moment(bad, last - step), Moment(bad, last, says, labels)


def silent(at: float, *harmless: Mapping[str, str]) -> tuple[Moment, ...]:
    """What must fire nothing."""
    return tuple(Moment(series, at) for series in harmless)


def too_high(name: str, line: float, held: int, says: str, near: float) -> tuple[Moment, ...]:
    """A gauge of several processes, of which the highest counts: above and below its line."""
    above, below = line + near, line - near
    return (
        *around(held, 60, says, {f"{name}{{{A}}}": f"{above}{LONG}", f"{name}{{{B}}}": DOWN}),
        *silent(held, {name: f"{below}{LONG}"}),
    )
