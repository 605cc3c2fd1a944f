"""The files that went through the sandbox, found again by file_id or by path."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from random import Random
from typing import Any

from sandbox.answers import Json

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
SUFFIXES = {"image/png": "png", "image/gif": "gif", "image/webp": "webp"}
BOXES = (90, 320, 800, 1280)


@dataclass(frozen=True, slots=True)
class File:
    """A file on its way: its name, its bytes and its media type."""

    name: str
    data: bytes
    mime: str = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Kept:
    """A file that a bot may use again; a file_id is good for one bot only.

    `shown` is the value of the message's "photo" or "document" field.
    """

    file: File
    bot_id: int
    file_id: str
    unique_id: str
    path: str
    kind: str
    shown: Any

    def describe(self) -> Json:
        """The File object of the Bot API."""
        return {
            "file_id": self.file_id,
            "file_unique_id": self.unique_id,
            "file_size": len(self.file.data),
            "file_path": self.path,
        }


class Files:
    """Every file of every bot."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._lock = threading.Lock()
        self._by_id: dict[str, Kept] = {}
        self._by_path: dict[str, Kept] = {}

    def keep_photo(self, bot_id: int, file: File, size: tuple[int, int]) -> list[Json]:
        """Store a picture; its sizes, the smallest first, all of the same bytes."""
        shown: list[Json] = []
        for width, height in scale(size):
            kept = self._keep(bot_id, file, "photo", shown)
            facts = kept.describe()
            del facts["file_path"]
            shown.append({**facts, "width": width, "height": height})
        return shown

    def keep_document(self, bot_id: int, file: File) -> Json:
        """Store a file of any kind."""
        shown: Json = {"file_name": file.name, "mime_type": file.mime}
        kept = self._keep(bot_id, file, "document", shown)
        facts = kept.describe()
        del facts["file_path"]
        shown.update(facts)
        return shown

    def find(self, key: str) -> Kept | None:
        """The file with this file_id or path."""
        return self._by_id.get(key) or self._by_path.get(key)

    def _keep(self, bot_id: int, file: File, kind: str, shown: Any) -> Kept:
        with self._lock:
            path = f"{kind}s/file_{len(self._by_path)}{_suffix(file, kind)}"
            kept = Kept(file, bot_id, self._name(60), self._name(12), path, kind, shown)
            self._by_id[kept.file_id] = self._by_path[path] = kept
        return kept

    def _name(self, length: int) -> str:
        return "AgAC" + "".join(self._random.choices(ALPHABET, k=length))


def scale(size: tuple[int, int]) -> list[tuple[int, int]]:
    """The sizes in which Telegram offers a picture: shrunk to its boxes, never enlarged."""
    width, height = size
    longest = max(size)
    factors = [box / longest for box in BOXES if box < longest]
    sizes = [(max(round(width * f), 1), max(round(height * f), 1)) for f in factors]
    return sizes if longest > BOXES[-1] else [*sizes, size]


def _suffix(file: File, kind: str) -> str:
    if kind == "photo":
        return "." + SUFFIXES.get(file.mime, "jpg")
    _, dot, suffix = file.name.rpartition(".")
    return dot + suffix if dot and suffix.isalnum() else ""
