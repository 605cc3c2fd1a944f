"""What a panel and a dashboard are, and the expressions that many panels share."""

from __future__ import annotations

from dataclasses import dataclass

RATE = "$__rate_interval"


@dataclass(frozen=True, slots=True)
class Plot:
    """One panel; `queries` are pairs of what the legend says and an expression."""

    title: str
    unit: str
    about: str
    queries: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Board:
    """One dashboard: rows of panels."""

    name: str
    title: str
    about: str
    rows: tuple[tuple[str, tuple[Plot, ...]], ...]


def plot(title: str, unit: str, about: str, **queries: str) -> Plot:
    """A panel; a legend's blanks are written as _, and its {labels} as label__name."""
    return Plot(title, unit, about, tuple((_legend(k), v) for k, v in queries.items()))


def _legend(word: str) -> str:
    label = word.removeprefix("label__")
    return f"{{{{{label}}}}}" if label != word else word.replace("_", " ")


def quantile(share: float, metric: str, by: str = "") -> str:
    """The expression for a quantile of a histogram."""
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, sum by ({labels}) (rate({metric}_bucket[{RATE}])))"
