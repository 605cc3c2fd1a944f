"""Alerts that are a little wrong are found out by their own cases."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.deploy.burning import BURNING
from tests.deploy.faults import FAULTS
from tests.deploy.moments import Fault
from tests.deploy.mutants import holds, lines, near_lines, shapes, words
from tests.deploy.outages import OUTAGES
from tests.deploy.promtool import Rule, failures, needed, write

MOST = 20
"""Steps of a quick moment."""


def survivors(folder: Path, cases: list[tuple[Fault, list[Rule]]]) -> list[Rule]:
    """The wrong rules that the cases do not tell from the right one."""
    for number, (fault, rules) in enumerate(cases):
        write(folder, str(number), rules, fault.test())
    caught = failures(folder)
    return [rules[-1] for number, (_, rules) in enumerate(cases) if str(number) not in caught]


def quick(fault: Fault) -> Fault:
    """A fault without its moments of whole windows."""
    early = [moment for moment in fault.moments if moment.at < MOST * fault.step]
    return replace(fault, moments=tuple(early))


def test_a_raised_line_is_found_out(tmp_path: Path) -> None:
    """Each number of each alert ten times higher, and each `for` longer or shorter."""
    cases = []
    for fault in (*map(quick, BURNING), *FAULTS, *OUTAGES):
        *records, rule = needed(fault.alert)
        raised = ({**rule, "expr": expr} for expr in lines(rule["expr"]))
        cases += [(fault, [*records, wrong]) for wrong in (*raised, *holds(rule))]
    assert survivors(tmp_path, cases) == []


def test_a_wrong_rule_is_found_out(tmp_path: Path) -> None:
    """Each word, window, matcher and clause, and each number a little; once of all siblings."""
    cases = []
    for fault in (BURNING[0], *FAULTS, *OUTAGES):
        *records, rule = needed(fault.alert)
        others = (*shapes(rule["expr"]), *near_lines(rule["expr"]))
        wrong = [*({**rule, "expr": expr} for expr in others), *words(rule)]
        cases += [(fault, [*records, each]) for each in wrong]
    assert survivors(tmp_path, cases) == []
