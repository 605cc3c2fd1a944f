"""The form: parameters and files as the body of a request."""

from __future__ import annotations

import io
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, BinaryIO


@dataclass(frozen=True, slots=True)
class File:
    """A file to upload: bytes, or an open file that can be rewound to `start`."""

    name: str
    data: bytes | BinaryIO
    mime: str = "application/octet-stream"
    start: int = 0


def encode(params: Mapping[str, Any]) -> dict[str, str]:
    """Turn parameters into the text fields of a request; what is None is left out.

    Texts stay as they are, everything else becomes JSON. Raises TypeError for what JSON lacks.
    """
    fields = {}
    for name, value in params.items():  # a comprehension would be made and dropped for each call
        if type(value) is str:
            fields[name] = value
        elif value is not None:
            fields[name] = _text(value)
    return fields


def _text(value: object) -> str:
    if type(value) is int:
        return str(value)
    if isinstance(value, str):
        return str.__str__(value)  # of a member of an enumeration too, not its name
    return json.dumps(value, ensure_ascii=False)


def attach(files: Mapping[str, Any]) -> dict[str, File]:
    """Turn what telebot and plugins call files into Files.

    That is bytes, a file opened in binary mode, or (name, either of them, and perhaps its MIME
    type). Raises TypeError for anything else.
    """
    return {field: _file(field, value) for field, value in files.items()}


def _file(field: str, value: Any) -> File:
    if isinstance(value, File):
        return value
    name, mime = "", "application/octet-stream"
    if isinstance(value, tuple):
        name, value, *more = value
        mime = more[0] if more else mime
    if isinstance(value, (bytes, bytearray)):
        return File(name or field, bytes(value), mime)
    if not hasattr(value, "read") or isinstance(value, io.TextIOBase):
        raise TypeError(f"the file {field!r} must be bytes or a file opened in binary mode")
    name = name or PurePath(str(getattr(value, "name", field))).name
    if not value.seekable():
        return File(name, value.read(), mime)
    return File(name, value, mime, value.tell())


def form(fields: Mapping[str, str]) -> bytes:
    """The fields as application/x-www-form-urlencoded.

    What is not letters and digits is escaped as a whole: long texts cost a fraction of `quote`.
    """
    parts = []
    for name, value in fields.items():
        parts.append(f"{name}={_escape(value)}")
    return "&".join(parts).encode()


def _escape(value: str) -> str:
    if not value or (value.isalnum() and value.isascii()):
        return value
    return "%" + value.encode(errors="replace").hex("%")


class Multipart:
    """A body of multipart/form-data that is read piece by piece, files included."""

    def __init__(self, fields: Mapping[str, str], files: Mapping[str, File]) -> None:
        self.boundary = secrets.token_hex(16)
        self._pieces: list[BinaryIO] = []
        self.size = 0
        for name, value in fields.items():
            self._add(self._head(name) + b"\r\n" + value.encode(errors="replace") + b"\r\n")
        for name, file in files.items():
            kind = f'; filename="{_header(file.name)}"\r\nContent-Type: {_header(file.mime)}'
            self._add(self._head(name, kind) + b"\r\n")
            self._add(file.data, file.start)
            self._add(b"\r\n")
        self._add(f"--{self.boundary}--\r\n".encode())
        self._pieces.reverse()

    def _head(self, name: str, more: str = "") -> bytes:
        head = f'--{self.boundary}\r\nContent-Disposition: form-data; name="{_header(name)}"{more}'
        return head.encode(errors="replace") + b"\r\n"

    def _add(self, piece: bytes | BinaryIO, start: int = 0) -> None:
        if isinstance(piece, bytes):
            self.size += len(piece)
            piece = io.BytesIO(piece)
        else:
            self.size += piece.seek(0, io.SEEK_END) - start
            piece.seek(start)
        self._pieces.append(piece)

    def read(self, size: int) -> bytes:
        """Give at most `size` bytes more; none at the end."""
        while self._pieces:
            if piece := self._pieces[-1].read(size):
                return piece
            self._pieces.pop()
        return b""


def _header(text: str) -> str:
    return text.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
