"""Sheets: many people as CSV or XLSX, a batch at a time, so that memory stays as it is."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Iterator
from datetime import datetime
from typing import IO, Any

import xlsxwriter

from database import db
from models import User

BATCH = 2000
MOST = 1_048_575
"""People that a sheet of Excel holds beside its heading."""
COLUMNS = (
    *("id", "telegram_id", "username", "first_name", "last_name", "language", "status", "role"),
    *("source", "referrer", "total_messages", "last_activity_at", "created_at"),
)
STARTERS = ("=", "+", "-", "@")
"""What a spreadsheet takes for the beginning of a formula."""


TYPED = ("\t", "\r", "\n")


class TooMany(ValueError):
    """A sheet of Excel does not hold so many rows; one sentence that says so."""


def batches(people: Any) -> Iterator[list[tuple[Any, ...]]]:
    """The chosen people, oldest first, as rows of COLUMNS.

    No connection is held between two batches: who downloads slowly keeps nobody waiting.
    """
    fields = [getattr(User, name) for name in COLUMNS]
    query = people.select(*fields).order_by(User.id).limit(BATCH)
    last = 0
    while True:
        with db.connection_context():
            rows = db.execute(query.where(User.id > last)).fetchall()
        if rows:
            yield [tuple(map(_cell, row)) for row in rows]
        if len(rows) < BATCH:
            return
        last = rows[-1][0]


def as_csv(people: Any) -> Iterator[bytes]:
    """The chosen people as CSV (RFC 4180), in UTF-8, a batch at a time."""
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow(COLUMNS)
    yield _taken(text)
    for rows in batches(people):
        writer.writerows(rows)
        yield _taken(text)


def write_xlsx(people: Any, file: IO[bytes]) -> int:
    """Write the chosen people into a file for Excel; give their number. Raises TooMany."""
    too_many = f"A sheet of Excel holds {MOST:,} people, and more are chosen: filter, or take CSV."
    if people.select(User.id).limit(MOST + 1).count() > MOST:
        raise TooMany(too_many)
    count = 0
    with xlsxwriter.Workbook(file, {"constant_memory": True}) as book:
        sheet = book.add_worksheet("Users")
        sheet.freeze_panes(1, 0)
        sheet.write_row(0, 0, COLUMNS)
        for rows in batches(people):
            for row in rows[: MOST - count]:  # some may have come since they were counted
                count += 1
                _write(sheet, count, row)
    return count


def harmless(text: str) -> str:
    """A text that no spreadsheet takes for a formula, whatever blanks it begins with."""
    first = text[:1]
    if first.isascii() and first.isalnum():
        return text  # nearly all
    shown = next((letter for letter in text if not _is_unseen(letter)), "")
    begins = unicodedata.normalize("NFKC", shown)[:1]
    active = first in TYPED or begins in STARTERS
    return f"'{text}" if active else text


def _is_unseen(letter: str) -> bool:
    """Whether a letter is none that is seen: blanks, control and format characters."""
    return unicodedata.category(letter)[0] in "ZC"


def _cell(value: Any) -> Any:
    """A value as the driver gives it, which is several times as quick as Peewee's."""
    if value is None:
        return ""
    if isinstance(value, str):
        return harmless(value)
    return value.isoformat(" ") if isinstance(value, datetime) else value


def _write(sheet: Any, number: int, row: tuple[Any, ...]) -> None:
    """Write texts as texts: the library would make numbers, links and formulas of some."""
    for place, value in enumerate(row):
        if isinstance(value, str):
            if value:
                sheet.write_string(number, place, value)
        else:
            sheet.write_number(number, place, value)


def _taken(text: io.StringIO) -> bytes:
    """What was written since the last time."""
    said = text.getvalue().encode("utf-8", "replace")
    text.seek(0)
    text.truncate()
    return said
