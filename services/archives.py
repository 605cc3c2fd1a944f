"""Archives: a backup as one file, a ZIP of each table's rows as JSON lines, with their digests.

It is read on SQLite and on PostgreSQL alike, so it also carries an installation from one to the
other. Nothing is restored before every digest was looked at.
"""

from __future__ import annotations

import base64
import hashlib
import json
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import IO, Any, BinaryIO

import peewee

from services.snapshots import Reader, rows

FORMAT = 1
CONTENTS = "contents.json"
CHUNK = 2**16


class Unfit(Exception):
    """An archive that cannot be used; one sentence that says why."""


def write(
    file: BinaryIO,
    read: Reader,
    models: Sequence[type[peewee.Model]],
    *,
    migrations: Sequence[str],
    version: str,
    at: datetime,
) -> dict[str, int]:
    """Write the rows of the tables; give how many of each.

    `migrations` are the names of those that were run, as "source/name"; `version` is ours.
    """
    tables = {}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for model in models:
            name = model._meta.table_name
            with archive.open(f"{name}.jsonl", "w", force_zip64=True) as member:
                tables[name] = _write_rows(member, rows(read, model))
        said = {
            "format": FORMAT,
            "version": version,
            "at": at.isoformat(),
            "migrations": list(migrations),
            "tables": tables,
        }
        archive.writestr(CONTENTS, json.dumps(said, indent=1))
    return {name: table["rows"] for name, table in tables.items()}


def verify(file: BinaryIO) -> dict[str, Any]:
    """The contents of an archive, when every byte is as it was written. Raises Unfit."""
    try:
        with zipfile.ZipFile(file) as archive:
            contents: dict[str, Any] = json.loads(archive.read(CONTENTS))
            if contents["format"] != FORMAT:
                raise Unfit(f"This file has the format {contents['format']}; known is {FORMAT}.")
            wanted = {f"{name}.jsonl" for name in contents["tables"]} | {CONTENTS}
            if set(archive.namelist()) != wanted:
                raise Unfit("The file lacks a table, or has one too many.")
            for name, table in contents["tables"].items():
                with archive.open(f"{name}.jsonl") as member:
                    if _digest(member) != table["sha256"]:
                        raise Unfit(f"The table {name} was changed after it was written.")
    except (zipfile.BadZipFile, KeyError, ValueError, EOFError, OSError, zipfile.zlib.error):  # type: ignore[attr-defined]
        raise Unfit("This is no backup, or it was cut short or changed.") from None
    return contents


def read_rows(file: BinaryIO, model: type[peewee.Model]) -> Iterator[dict[str, Any]]:
    """The rows of one table by column, as Python has them."""
    readers = {field.column_name: _reader(field) for field in model._meta.sorted_fields}
    with zipfile.ZipFile(file) as archive, archive.open(f"{model._meta.table_name}.jsonl") as lines:
        for line in lines:
            row = json.loads(line)
            yield {
                name: None if value is None else readers[name](value) for name, value in row.items()
            }


def _write_rows(member: IO[bytes], found: Iterable[dict[str, Any]]) -> dict[str, Any]:
    digest, count = hashlib.sha256(), 0
    for row in found:
        line = json.dumps(row, default=_plain, ensure_ascii=False, separators=(",", ":"))
        data = line.encode("utf-8", "surrogatepass") + b"\n"
        digest.update(data)
        member.write(data)
        count += 1
    return {"rows": count, "sha256": digest.hexdigest()}


def _digest(member: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while data := member.read(CHUNK):
        digest.update(data)
    return digest.hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, bytes | memoryview):
        return base64.b64encode(value).decode()
    if isinstance(value, Enum):
        return value.value
    return str(value)


def _reader(field: peewee.Field[Any]) -> Callable[[Any], Any]:
    """How a value of a column is read back from JSON."""
    if isinstance(field, peewee.DateTimeField):
        return datetime.fromisoformat
    if isinstance(field, peewee.DateField):
        return date.fromisoformat
    if isinstance(field, peewee.BlobField):
        return base64.b64decode
    if isinstance(field, peewee.DecimalField):
        return Decimal
    return lambda value: value
