"""Passwords: which are good enough, and how they are kept (argon2id)."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

SHORTEST, LONGEST = 12, 256
COMMON = Path(__file__).parent / "common_passwords.txt"
"""The 20,000 that leaked most often, by Royce Williams, as Django has them."""
PADDING = " 0123456789!?.,-_*#$"

_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
"""OWASP's password storage sheet: argon2id with 19 MiB, two passes, one lane."""
NOBODY = (
    "$argon2id$v=19$m=19456,t=2,p=1$R29cG3ksFEHRh7UoJBDoGA"
    "$B3o2oTDbApSyP4skLTmiHiFWbEKlomsAjzNidH2G778"
)
"""The hash, of a random text, that is compared with where there is no account."""


def weakness(password: str, *, words: tuple[str, ...] = ()) -> str | None:
    """One sentence on what is wrong with a new password, or None. `words` are the names around.

    NIST SP 800-63B: length and a list of common ones, no rules of composition.
    """
    if len(password) < SHORTEST:
        return f"A password has {SHORTEST} characters or more: three or four words will do."
    if len(password) > LONGEST:
        return f"A password has at most {LONGEST} characters."
    plain = password.casefold()
    bare = plain.strip(PADDING)
    if not {plain, bare}.isdisjoint(common()) or len(set(plain)) < 5:
        return "This password is among the first that are tried: choose another."
    if not bare or bare in {word.casefold() for word in words}:
        return "This password is hardly more than a name or a number: choose another."
    return None


def keep(password: str) -> str:
    """The hash to keep."""
    return _hasher.hash(password)


def fits(password: str, kept: str | None) -> bool:
    """Whether it is the password; takes as long when there is none to compare with."""
    real = kept if len(password) <= LONGEST else None
    try:
        return _hasher.verify(real or NOBODY, password[:LONGEST]) and real is not None
    except (VerificationError, InvalidHashError):
        return False


def is_dated(kept: str) -> bool:
    """Whether a hash was made with weaker parameters than today's."""
    return _hasher.check_needs_rehash(kept)


@cache
def common() -> frozenset[str]:
    """Passwords that are tried first, in small letters."""
    return frozenset(COMMON.read_text(encoding="utf-8").split("\n"))
