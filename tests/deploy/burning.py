"""Budgets that burn: for each objective and pair of windows, failures on both sides of the line."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from itertools import accumulate
from typing import NamedTuple

from tests.deploy.moments import Fault, Moment

FAILURES = 4
"""In each step, where the share that fails is the line."""


class Objective(NamedTuple):
    """Alerts that share a beginning, the share they allow, and the counters of bad and good."""

    alerts: str
    allowed: float
    runbook: str
    says: str
    series: Callable[[str, str, str], dict[str, str]]
    """Series, from the counters of what failed, of what was well, and of both."""


class Tier(NamedTuple):
    """Windows and `for` are in steps."""

    name: str
    burn: float
    severity: str
    window: str
    step: int
    long: int
    short: int
    held: int


def update_errors(bad: str, good: str, _both: str) -> dict[str, str]:
    """Handlers that raise, and what they do well."""
    return {
        'bot_messages_total{handler="notes.add",status="error"}': bad,
        'bot_messages_total{handler="notes.add",status="ok"}': good,
    }


def update_slow(_bad: str, good: str, both: str) -> dict[str, str]:
    """What took longer than two seconds is late."""
    return {'bot_update_seconds_bucket{le="2.0"}': good, "bot_update_seconds_count": both}


def panel_errors(bad: str, good: str, _both: str) -> dict[str, str]:
    """What the panel answers."""
    return {
        'panel_http_request_total{job="panel",status="503"}': bad,
        'panel_http_request_total{job="panel",status="200"}': good,
    }


OBJECTIVES = (
    Objective("UpdatesFail", 0.001, "updates-fail", "Handlers fail", update_errors),
    Objective(
        "UpdatesSlow", 0.01, "updates-are-slow", "Updates take over two seconds", update_slow
    ),
    Objective("PanelFails", 0.001, "the-panel-fails", "The panel answers 5xx", panel_errors),
)
TIERS = (
    Tier("Fast", 14.4, "page", "1h", 60, 60, 5, 2),
    Tier("", 6, "page", "6h", 180, 120, 10, 5),
    Tier("Slow", 3, "ticket", "1d", 720, 120, 10, 5),
    Tier("Steady", 1, "ticket", "3d", 1800, 144, 12, 2),
)


def climb(increments: Iterable[float]) -> str:
    """A counter from zero, as promtool reads it."""
    return " ".join(f"{value:.10g}" for value in accumulate(increments, initial=0))


def share(objective: Objective, line: float, *phases: tuple[int, float]) -> dict[str, str]:
    """Phases of so many steps in which so many times the line fails."""
    all_fail = 1 / line
    times = [min(all_fail, part) for steps, part in phases for _ in range(steps)]
    bad, good = climb(FAILURES * t for t in times), climb(FAILURES * (all_fail - t) for t in times)
    return objective.series(bad, good, climb(FAILURES * all_fail for _ in times))


def few(objective: Objective, *steps: float) -> dict[str, str]:
    """Nothing happens but a failure at each of these steps."""
    at = [round(step) for step in steps]
    bad = [float(step in at) for step in range(1, at[-1] + 40)]
    return objective.series(climb(bad), climb([0] * len(bad)), climb(bad))


def moments(objective: Objective, tier: Tier) -> Iterable[tuple[dict[str, str], float, float]]:
    """Series, a step, and the share that the alert tells then; 0 when it must be silent."""
    line, long, short, held = objective.allowed * tier.burn, tier.long, tier.short, tier.held
    fails = partial(share, objective, line)
    above = fails((held + 5, 1.05))
    yield above, held, 0  # before `for` has passed: two scrapes make the first rate
    yield above, held + 1, 1.05 * line
    yield fails((3 * held, 0.95)), 3 * held, 0
    burst = round(1.5 * short)
    yield fails((long, 0), (burst, 0.95 * long / burst)), long + burst, 0
    yield fails((long, 3), (short + 1, 0.95)), long + short + 1, 0
    yield fails((long, 0), (long, 1.1)), 2 * long, 1.1 * line
    bad, lull = 2 * short, round(0.3 * short)
    yield fails((bad, 2.2), (lull, 0)), bad + lull, 2.2 * line * bad / (bad + lull)
    first, second, third = 0.25 * long, 0.5 * long, 0.75 * long
    yield few(objective, first, second, third), third + held + 1, 1
    yield few(objective, second, third), third + held + 1, 0
    first, second, third = 0.1 * long, 1.15 * long, 1.4 * long
    yield few(objective, first, second, third), third + held + 1, 0


def fault(objective: Objective, tier: Tier) -> Fault:
    """The fault of one alert."""
    percent = f"{100 - 100 * objective.allowed:g} %"
    burn = f"{tier.burn:g} times what" if tier.burn > 1 else "all that"
    words = f"{objective.says}: {{:.4g}}% over {tier.window}, {burn} the {percent} allow"
    return Fault(
        objective.alerts + tier.name,
        tier.severity,
        objective.runbook,
        tier.step,
        tuple(
            Moment(series, round(step) * tier.step, words.format(told * 100) if told else None)
            for series, step, told in moments(objective, tier)
        ),
    )


BURNING = [fault(objective, tier) for objective in OBJECTIVES for tier in TIERS]
