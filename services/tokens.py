"""Random secrets that open something: shown once, kept as a digest."""

from __future__ import annotations

import hashlib
import secrets

BYTES = 32


def make() -> str:
    """A new secret of 256 bits, fit for an address and a cookie."""
    return secrets.token_urlsafe(BYTES)


def digest(token: str) -> str:
    """What is kept of a secret that nobody can guess: SHA-256."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
