"""People taken out as CSV and XLSX: read back as they are, and nothing in them computes."""

from __future__ import annotations

import csv
import io
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest

from database import Database, now
from models import User
from services import sheets
from tests.admin.payloads import FORMULAS, PAYLOADS

PLAIN = [
    "",
    "Ada",
    "a=b",
    "a,b",
    'say "x"',
    "two\r\nlines",
    "5-1",
    "1=1",
    "'",
    "٠",
    "é=",
    "\x0bAda",
]


def people(*names: str) -> None:
    """Somebody of each name, brought by nobody."""
    for number, name in enumerate(names):
        User.create(telegram_id=number + 1, first_name=name, last_activity_at=now())


def read_csv() -> list[list[str]]:
    """All people as CSV, read back."""
    text = b"".join(sheets.as_csv(User.select())).decode()
    return list(csv.reader(io.StringIO(text, newline="")))


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_becomes_a_text(text: str) -> None:
    """By an apostrophe before it, which spreadsheets do not show."""
    assert sheets.harmless(text) == f"'{text}"


@pytest.mark.parametrize("text", PLAIN)
def test_what_is_no_formula_stays_as_it_is(text: str) -> None:
    """Signs in the middle of a text compute nothing."""
    assert sheets.harmless(text) == text


def test_csv_reads_back_as_it_was_written(database: Database) -> None:
    """Commas, quotes and new lines keep to their cells; lines end as RFC 4180 has it."""
    names = [*PLAIN, *PAYLOADS, *FORMULAS]
    people(*names)
    head, *rows = read_csv()
    assert tuple(head) == sheets.COLUMNS
    assert [row[3] for row in rows] == [sheets.harmless(name) for name in names]
    assert {len(row) for row in rows} == {len(sheets.COLUMNS)}
    text = b"".join(sheets.as_csv(User.select().where(User.telegram_id == 2)))
    assert text.endswith(b"\r\n") and text.count(b"\r\n") == 2


def test_xlsx_reads_back_with_numbers_texts_and_no_formula(database: Database) -> None:
    """Every text is a text, also one that looks like a link or a number."""
    names = [*PAYLOADS, *FORMULAS, "https://evil.example", "0042", "mailto:a@b"]
    people(*names)
    file = io.BytesIO()
    assert sheets.write_xlsx(User.select(), file) == len(names)
    sheet = openpyxl.load_workbook(file).active
    head, *rows = list(sheet.iter_rows())
    assert tuple(cell.value for cell in head) == sheets.COLUMNS
    assert [row[1].value for row in rows] == list(range(1, len(names) + 1))
    shown = [row[3].value.replace("_x000D_", "\r").replace("\r\n", "\n") for row in rows]
    assert shown == [sheets.harmless(name).replace("\r\n", "\n") for name in names]
    cells = [cell for row in rows for cell in row if cell.value is not None]
    assert {cell.data_type for cell in cells} == {"n", "s"}
    assert not any(cell.hyperlink for cell in cells)


def test_every_batch_begins_where_the_last_one_ended(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is missing, nobody is there twice, and those who were not chosen stay away."""
    monkeypatch.setattr(sheets, "BATCH", 3)
    people(*"abcdefghijk")
    chosen = User.select().where(User.telegram_id != 5)
    rows = [row for batch in sheets.batches(chosen) for row in batch]
    assert [row[1] for row in rows] == [1, 2, 3, 4, 6, 7, 8, 9, 10, 11]


def test_no_connection_is_held_between_batches(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request's connection is given back long before a slow download is over."""
    monkeypatch.setattr(sheets, "BATCH", 1)
    people("a", "b", "c")
    database.close()
    rows = []
    for batch in sheets.batches(User.select()):
        assert database.is_closed()
        rows += batch
    database.connect()
    assert len(rows) == 3


def test_what_a_sheet_does_not_hold_is_refused(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Excel has an end; CSV has none."""
    people("a", "b", "c")
    monkeypatch.setattr(sheets, "MOST", 2)
    with pytest.raises(sheets.TooMany, match="holds 2 people"):
        sheets.write_xlsx(User.select(), io.BytesIO())
    assert len(read_csv()) == 4


def peak(take: Callable[[], object]) -> int:
    """The bytes that taking the people out needs at most."""
    tracemalloc.start()
    try:
        take()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def pour() -> None:
    """CSV as a slow browser takes it: nothing is kept."""
    for _part in sheets.as_csv(User.select()):
        pass


def test_memory_does_not_grow_with_the_people(
    database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Five times as many people need no more; to keep their rows would (the control)."""
    monkeypatch.setattr(sheets, "BATCH", 40)

    def write() -> None:
        with (tmp_path / "users.xlsx").open("wb") as file:
            sheets.write_xlsx(User.select(), file)

    def keep() -> list[object]:
        return [row for batch in sheets.batches(User.select()) for row in batch]

    needed = []
    for numbers in (range(1, 201), range(201, 1001)):
        names = [(number, f"Name {number}") for number in numbers]
        User.insert_many(names, [User.telegram_id, User.first_name]).execute()
        ways: tuple[Callable[[], object], ...] = (pour, write, keep)
        for take in ways:
            take()
        needed.append([peak(take) for take in ways])
    csv_grew, xlsx_grew, kept_grew = (after - before for before, after in zip(*needed))
    assert max(csv_grew, xlsx_grew) < 100_000, (csv_grew, xlsx_grew)
    assert kept_grew > 200_000
