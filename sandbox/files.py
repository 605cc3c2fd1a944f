"""The files that went through the sandbox, found again by file_id or by path."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from random import Random

from sandbox.answers import Json

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
SUFFIXES = {"image/png": "png", "image/gif": "gif", "image/webp": "webp"}


@dataclass(frozen=True, slots=True)
class File:
    """A file on its way: its name, its bytes and its media type."""

    name: str
    data: bytes
    mime: str = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Kept:
    """A file that a bot may use again; a file_id is good for one bot only."""

    file: File
    bot_id: int
    file_id: str
    unique_id: str
    path: str
    kind: str

    def describe(self) -> Json:
        """The fields that every kind of file has in the Bot API."""
        return {
            "file_id": self.file_id,
            "file_unique_id": self.unique_id,
            "file_size": len(self.file.data),
        }


class Files:
    """Every file of every bot."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._lock = threading.Lock()
        self._by_id: dict[str, Kept] = {}
        self._by_path: dict[str, Kept] = {}
        self._count = 0

    def keep(self, bot_id: int, file: File, kind: str) -> Kept:
        """Store a file of a kind ("photo" or "document") and give it its ids and its path."""
        with self._lock:
            path = f"{kind}s/file_{self._count}{_suffix(file, kind)}"
            self._count += 1
            kept = Kept(file, bot_id, self._name(60), self._name(15), path, kind)
            self._by_id[kept.file_id] = self._by_path[path] = kept
        return kept

    def find(self, key: str) -> Kept | None:
        """The file with this file_id or path."""
        return self._by_id.get(key) or self._by_path.get(key)

    def _name(self, length: int) -> str:
        return "AgAC" + "".join(self._random.choices(ALPHABET, k=length))


def _suffix(file: File, kind: str) -> str:
    if kind == "photo":
        return "." + SUFFIXES.get(file.mime, "jpg")
    _, dot, suffix = file.name.rpartition(".")
    return dot + suffix if dot and suffix.isalnum() else ""
