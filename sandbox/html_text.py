"""Parser."""

from __future__ import annotations

from sandbox.spans import Span


def parse_html(text: str) -> tuple[str, list[Span]]:
    """Parse."""
    return text, []
