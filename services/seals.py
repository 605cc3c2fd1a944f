"""Seals: small secrets encrypted at rest, by keys that follow from SECRET_KEY."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

VERSION = "1"
"""What a sealed text begins with: it says how it was made, so that another way can follow."""


class Broken(ValueError):
    """A text was not sealed by us for this purpose, is too old, or its key is gone."""


class Seals:
    """Seals with the first key, opens with all: the others are of before a rotation."""

    def __init__(self, *keys: str) -> None:
        self._keys = keys

    def seal(self, text: str, purpose: str, at: datetime) -> str:
        """The text encrypted; it can be opened for the same purpose alone."""
        made = _fernet(self._keys[0], purpose).encrypt_at_time(text.encode(), _seconds(at))
        return f"{VERSION}.{made.decode()}"

    def open(self, sealed: str, purpose: str, *, at: datetime, seconds: int | None = None) -> str:
        """What was sealed, at most `seconds` ago. Raises Broken."""
        version, _, token = sealed.partition(".")
        keys = MultiFernet([_fernet(key, purpose) for key in self._keys])
        try:
            if version != VERSION:
                raise InvalidToken
            if seconds is None:
                return keys.decrypt(token.encode()).decode()
            return keys.decrypt_at_time(token.encode(), seconds, _seconds(at)).decode()
        except InvalidToken:
            raise Broken("This cannot be opened: begin anew.") from None

    def is_dated(self, sealed: str, purpose: str) -> bool:
        """Whether a text that can be opened was not sealed with the first key."""
        try:
            _fernet(self._keys[0], purpose).decrypt(sealed.partition(".")[2].encode())
        except InvalidToken:
            return True
        return False


@lru_cache(maxsize=256)
def _fernet(key: str, purpose: str) -> Fernet:
    derive = HKDF(SHA256(), length=32, salt=None, info=f"steadygram:{VERSION}:{purpose}".encode())
    return Fernet(base64.urlsafe_b64encode(derive.derive(key.encode())))


def _seconds(at: datetime) -> int:
    return int(at.replace(tzinfo=UTC).timestamp())
