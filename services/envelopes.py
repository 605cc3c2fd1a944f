"""Envelopes: a stream that is encrypted by a passphrase, and refused when a byte was changed.

A file is the magic word, a salt, how much work the key is (log2 N of scrypt), and pieces of a
mebibyte each sealed by ChaCha20-Poly1305 under the key that scrypt makes of the passphrase. A
piece's nonce is its number and whether it is the last, so that none can be left out, moved or cut
off at the end (the STREAM construction, Hoang et al. 2015, as age has it).
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

MAGIC = b"steadygram sealed 1\n"
PIECE = 2**20
TAG = 16
SALT = 16
HEAD = len(MAGIC) + SALT + 1
WORK = 17
"""OWASP's advice for scrypt with r = 8 and p = 1: 128 MiB of memory."""
MOST = 20
"""What a file may ask for: a gibibyte."""


class Broken(Exception):
    """The file is no sealed one, was changed, or the passphrase is another; one sentence."""


class Sealing(io.RawIOBase):
    """A stream to write to; `close` seals the last piece and leaves the file open."""

    def __init__(
        self,
        file: BinaryIO,
        passphrase: bytes,
        *,
        work: int = WORK,
        chance: Callable[[int], bytes] = os.urandom,
    ) -> None:
        salt = chance(SALT)
        file.write(MAGIC + salt + bytes([work]))
        self._file = file
        self._lock = ChaCha20Poly1305(_key(passphrase, salt, work))
        self._waiting = bytearray()
        self._number = 0

    def writable(self) -> bool:
        """It can be written to, and not sought in."""
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        """Take bytes; whole pieces are sealed at once."""
        self._waiting += data
        while len(self._waiting) > PIECE:
            self._seal(bytes(self._waiting[:PIECE]), last=False)
            del self._waiting[:PIECE]
        return len(data)

    def close(self) -> None:
        """Seal what is left, as the last piece."""
        if not self.closed:
            self._seal(bytes(self._waiting), last=True)
        super().close()

    def _seal(self, piece: bytes, *, last: bool) -> None:
        self._file.write(self._lock.encrypt(_nonce(self._number, last=last), piece, None))
        self._number += 1


def is_sealed(file: BinaryIO) -> bool:
    """Whether a file begins as a sealed one does; the position stays."""
    place = file.tell()
    found = file.read(len(MAGIC)) == MAGIC
    file.seek(place)
    return found


def unseal(file: BinaryIO, passphrase: bytes, into: BinaryIO) -> None:
    """Write what a sealed file holds into another. Raises Broken; then what is written is void."""
    file.seek(0)
    head = file.read(HEAD)[len(MAGIC) :]
    if len(head) <= SALT or not 0 < head[SALT] <= MOST:
        raise Broken("The file was changed or cut short.")
    lock = ChaCha20Poly1305(_key(passphrase, head[:SALT], head[SALT]))
    number, piece = 0, file.read(PIECE + TAG)
    while True:
        following = file.read(PIECE + TAG)
        try:
            into.write(lock.decrypt(_nonce(number, last=not following), piece, None))
        except InvalidTag:
            raise Broken(
                "The file was changed or cut short, or the passphrase is another one."
            ) from None
        if not following:
            return
        number, piece = number + 1, following


def _key(passphrase: bytes, salt: bytes, work: int) -> bytes:
    return Scrypt(salt=salt, length=32, n=2**work, r=8, p=1).derive(passphrase)


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + (b"\1" if last else b"\0")
