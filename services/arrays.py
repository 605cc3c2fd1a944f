"""Arrays: many values as one text that PostgreSQL reads.

psycopg2 takes each value of a list by itself, which takes it six times as long.
"""

from __future__ import annotations

from collections.abc import Iterable

SEPARATOR = "\x1f"
"""Between documents of JSON: in them it would be escaped."""


def numbers(values: Iterable[int | None]) -> str:
    """Integers, to be read as an array: {1,NULL,3}."""
    return "{" + ",".join(map(str, values)).replace("None", "NULL") + "}"


def texts(values: Iterable[str]) -> str:
    """Short texts, to be read as an array: {"a","b"}."""
    escaped = [value.replace("\\", "\\\\").replace('"', '\\"') for value in values]
    return '{"' + '","'.join(escaped) + '"}' if escaped else "{}"


def documents(values: Iterable[str]) -> str:
    """At least one document of JSON as `codec` writes it, to be split at SEPARATOR."""
    return SEPARATOR.join(values)
