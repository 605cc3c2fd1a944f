"""Curves: the answer to a panel's queries as a small picture, with its unit at the axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

WIDTH, HEIGHT = 460, 200
LEFT, RIGHT, TOP, BOTTOM = 54, 8, 8, 20
COLOURS = ("#2a78d6", "#d9480f", "#2b8a3e", "#862e9c", "#c92a2a", "#0b7285", "#e67700", "#495057")
"""Each has enough contrast on white and on black; no two lines side by side are much alike."""
UNITS = {"s": "s", "bytes": "B", "ops": "/s", "reqps": "/s", "percentunit": "%", "short": ""}
PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1, ""), (1e-3, "m"), (1e-6, "µ"))

Course = Sequence[tuple[float, float]]
"""Seconds before now, and values."""


def draw(title: str, unit: str, courses: Sequence[tuple[str, Course]], seconds: int) -> str:
    """A picture of some courses, each with its name; values that are no number are gaps."""
    values = [v for _, course in courses for _, v in course if not math.isnan(v)]
    top = ceiling(max(values, default=0.0))
    bottom = min(0.0, min(values, default=0.0))
    shown = courses[: len(COLOURS)]
    rows = math.ceil(len(shown) / 3)
    height = HEIGHT + 16 * rows
    box = f'viewBox="0 0 {WIDTH} {height}" role="img" font-family="sans-serif" font-size="11"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {box}><title>{escape(title)}</title>',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
    ]
    for step in range(5):
        value = bottom + (top - bottom) * step / 4
        y = _y(value, bottom, top)
        parts.append(
            f'<path d="M{LEFT} {y:.0f}H{WIDTH - RIGHT}" stroke="#ddd"/>'
            f'<text x="{LEFT - 5}" y="{y + 4:.0f}" text-anchor="end">{say(value, unit)}</text>'
        )
    for ago in (seconds, seconds // 2, 0):
        x, anchor = _x(ago, seconds), "end" if ago == 0 else "start" if ago == seconds else "middle"
        said = f"{ago} s ago" if ago else "now"
        parts.append(f'<text x="{x:.0f}" y="{HEIGHT - 5}" text-anchor="{anchor}">{said}</text>')
    for place, (name, course) in enumerate(shown):
        line = _line(course, seconds, bottom, top)
        parts.append(f'<path d="{line}" fill="none" stroke="{COLOURS[place]}" stroke-width="1.6"/>')
        x, y = 10 + place % 3 * 150, HEIGHT + 10 + place // 3 * 16
        parts.append(
            f'<path d="M{x} {y - 4}h12" stroke="{COLOURS[place]}" stroke-width="3"/>'
            f'<text x="{x + 17}" y="{y}">{escape(_short(name))}</text>'
        )
    return "\n".join([*parts, "</svg>\n"])


def ceiling(value: float) -> float:
    """The round number at or above a value, for the end of an axis; 1 for nothing."""
    if value <= 0:
        return 1.0
    size: float = 10.0 ** math.floor(math.log10(value))
    return next(step * size for step in (1, 2, 4, 5, 10) if step * size >= value * 0.999)


def say(value: float, unit: str) -> str:
    """A value with its unit, as short as it can be."""
    sign = UNITS[unit]
    if unit == "percentunit":
        return f"{value * 100:.3g} %"
    usable = PREFIXES if unit == "s" else PREFIXES[:4]
    size, prefix = next((p for p in usable if abs(value) >= p[0] * 0.999), (1, ""))
    return f"{value / size:.3g} {prefix}{sign}".strip()


def _x(ago: float, seconds: int) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * (1 - ago / seconds)


def _y(value: float, bottom: float, top: float) -> float:
    return TOP + (HEIGHT - TOP - BOTTOM) * (1 - (value - bottom) / (top - bottom))


def _line(course: Course, seconds: int, bottom: float, top: float) -> str:
    """The path of a course; after a gap it begins anew."""
    path, pen = "", "M"
    for ago, value in course:
        if math.isnan(value):
            pen = "M"
            continue
        path += f"{pen}{_x(ago, seconds):.1f} {_y(value, bottom, top):.1f}"
        pen = "L"
    return path or "M0 0"


def _short(name: str) -> str:
    return name if len(name) <= 22 else f"{name[:21]}…"
