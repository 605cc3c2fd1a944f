"""The examples of plugins in docs/examples: short, whole, and able to live side by side."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from bot.loader import collect, find
from tests.test_imports import OURS, PLUGINS_MAY, imports

FOLDER = Path(__file__).parent.parent / "docs" / "examples"
EXAMPLES = dict(find([FOLDER]))
LONGEST = 80


def test_there_are_ten_and_the_list_has_them() -> None:
    """Each with the sentence that its file begins with."""
    rows = re.findall(
        r"^[|] \[(\w+)\.py\].* [|] (.+) [|]$", (FOLDER / "README.md").read_text(), re.MULTILINE
    )
    said = {name: ast.get_docstring(ast.parse(path.read_text())) for name, path in EXAMPLES.items()}
    assert dict(rows) == said and len(rows) == 10


@pytest.mark.parametrize("path", EXAMPLES.values(), ids=EXAMPLES)
def test_an_example_is_short_and_has_tests(path: Path) -> None:
    """At most 80 lines, no import but what plugins may, and tests beside it."""
    text = path.read_text()
    assert len(text.splitlines()) <= LONGEST
    ours = {name for name in imports(ast.parse(text), types=True) if name.split(".")[0] in OURS}
    assert ours <= PLUGINS_MAY
    assert "def test_" in path.with_name(f"test_{path.name}").read_text()


def test_they_live_side_by_side() -> None:
    """With each other, and with what is built in."""
    assert collect([FOLDER, FOLDER.parent.parent / "plugins"]).failures == []
