"""The page that tells the speed: each measurement has a place of its own between two marks."""

from __future__ import annotations

from bench.bots import ROOT

PAGE = ROOT / "docs/performance.md"


def write(name: str, text: str) -> None:
    """Put a text between the marks called `name`; the rest of the page stays."""
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, _, rest = PAGE.read_text().partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise ValueError(f"{PAGE.name} has no place called {name}.")
    PAGE.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}")
