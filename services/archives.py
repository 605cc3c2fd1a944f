"""Archives: a backup as one file, a ZIP of each table's rows as JSON lines, and its digest.

It is read on SQLite and on PostgreSQL alike, so it also carries an installation from one to the
other. The last 32 bytes are the SHA-256 of all before them; nothing is restored before it fits.
"""

from __future__ import annotations

import base64
import hashlib
import io
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
DIGEST = 32


class Counted(io.RawIOBase):
    """A stream that passes on what is written, and knows its digest."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.sha = hashlib.sha256()

    def writable(self) -> bool:
        """It can be written to, and not sought in."""
        return True

    def write(self, data: Any) -> int:
        """Pass bytes on."""
        self.sha.update(data)
        self._file.write(data)
        return len(data)


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
    tables, counted = {}, Counted(file)
    with zipfile.ZipFile(counted, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
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
    file.write(counted.sha.digest())
    return tables


def verify(file: BinaryIO) -> dict[str, Any]:
    """The contents of an archive, when every byte is as it was written. Raises Unfit."""
    if not _is_whole(file):
        raise Unfit("This is no backup, or it was cut short or changed.")
    with zipfile.ZipFile(file) as archive:
        contents: dict[str, Any] = json.loads(archive.read(CONTENTS))
    if contents["format"] != FORMAT:
        raise Unfit(f"This file has the format {contents['format']}; known is {FORMAT}.")
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


def _write_rows(member: IO[bytes], found: Iterable[dict[str, Any]]) -> int:
    count = 0
    for row in found:
        line = json.dumps(row, default=_plain, ensure_ascii=False, separators=(",", ":"))
        member.write(line.encode("utf-8", "surrogatepass") + b"\n")
        count += 1
    return count


def _is_whole(file: BinaryIO) -> bool:
    """Whether the last bytes are the digest of those before them."""
    size = file.seek(0, io.SEEK_END) - DIGEST
    file.seek(0)
    sha = hashlib.sha256()
    while size > 0 and (data := file.read(min(CHUNK, size))):
        sha.update(data)
        size -= len(data)
    return file.read(DIGEST) == sha.digest()


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
