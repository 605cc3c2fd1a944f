"""Mutants: rules that are a little wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.deploy.promtool import Rule

NUMBERS = re.compile(r"(?<=[<>=] )\d[\d.]*")
CLAUSES = re.compile(r" (?:and|unless) (?:on\(.*?\) )?[^ ]+(?: [<>=]+ [\d.]+\)*)?(?= |$)")
WORDS = (
    *((" and ", " or "), (" unless ", " and "), ("max(", "min("), ("min(", "max(")),
    *(("min by", "max by"), ("increase(", "rate("), ("absent(", "(")),
    *((" by (handler)", ""), (" by (scope)", ""), (" by (job)", ""), (" by (plugin)", "")),
    *(("sum(", "max("), ("sum by", "max by")),
)
SECONDS = {"m": 60, "h": 3600, "d": 86400}


def lines(expr: str) -> Iterator[str]:
    """The expression with one number ten times higher; another one for zero."""
    for found in NUMBERS.finditer(expr):
        number = float(found[0])
        yield f"{expr[: found.start()]}{10 * number or -2:g}{expr[found.end() :]}"


def near_lines(expr: str) -> Iterator[str]:
    """The expression with one number a little higher, or lower."""
    for found in NUMBERS.finditer(expr):
        number = float(found[0])
        for other in (1.2 * number, 0.65 * number) if number else (-2, 0.5):
            yield f"{expr[: found.start()]}{other:g}{expr[found.end() :]}"


def shapes(expr: str) -> Iterator[str]:
    """The expression with one word, window, matcher or clause changed or left out."""
    for word, other in WORDS:
        for found in re.finditer(re.escape(word), expr):
            yield expr[: found.start()] + other + expr[found.end() :]
    for found in re.finditer(r"\[(\d+)(\w)\]", expr):
        for factor in (0.5, 2):
            window = f"[{int(found[1]) * SECONDS[found[2]] * factor:.0f}s]"
            yield expr[: found.start()] + window + expr[found.end() :]
    for found in re.finditer(r"(?<=[{,])\w+=~?\".*?\",?", expr):
        yield expr[: found.start()] + expr[found.end() :]
    for found in CLAUSES.finditer(expr):
        yield expr[: found.start()] + expr[found.end() :]


def holds(rule: Rule) -> Iterator[Rule]:
    """The rule with half of its `for`, and with half as much again."""
    held = int(rule["for"][:-1]) * SECONDS[rule["for"][-1]]
    for factor in (0.5, 1.5):
        yield {**rule, "for": f"{held * factor:.0f}s"}


def words(rule: Rule) -> Iterator[Rule]:
    """The rule with another severity, and with another annotation."""
    other = {"page": "ticket", "ticket": "page"}[rule["labels"]["severity"]]
    yield {**rule, "labels": {"severity": other}}
    for name in rule["annotations"]:
        yield {**rule, "annotations": {**rule["annotations"], name: "docs/operations.md#upgrade"}}
