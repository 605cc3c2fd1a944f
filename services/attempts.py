"""Attempts to sign in: counted in the database, so that all workers share the limits.

An attempt is counted before anything is checked, and taken back when it was right: guesses that
come at once cannot slip past each other. Limits are of three kinds: an account's, which opens again
within a minute, so that nobody can lock its owner out for long; an address's; and that of codes,
whose few digits need the longest waits.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from database import current, db
from staff import Attempt

FORGOTTEN = timedelta(hours=1)
"""How long after the last failure an account or an address begins anew."""


@dataclass(frozen=True, slots=True)
class Limit:
    """How many failures are free, and at most how many seconds the next one waits."""

    free: int
    longest: int

    def pause(self, failures: int) -> timedelta:
        """How long after so many failures nothing is tried: 15 seconds, and twice as long each."""
        over = failures - self.free
        return timedelta(seconds=min(self.longest, 15 * 2 ** min(over, 16)) if over >= 0 else 0)


class Subject(NamedTuple):
    """What is counted: a word that names it, and its limit."""

    name: str
    limit: Limit


def account(name: str) -> Subject:
    """Tries of a password for a name, whether or not there is such an account."""
    return Subject(f"account:{name.strip().casefold()[:64]}", Limit(free=4, longest=60))


def address(remote: str) -> Subject:
    """Tries from an address; of IPv6 the network, since whoever has one address has them all."""
    try:
        found = ipaddress.ip_address(remote)
    except ValueError:
        return Subject(f"address:{remote[:64]}", Limit(free=10, longest=900))
    if isinstance(found, ipaddress.IPv6Address):
        found = found.ipv4_mapped or ipaddress.ip_network((int(found) >> 64 << 64, 64))[0]
    return Subject(f"address:{found}", Limit(free=10, longest=900))


def proof(kind: str, admin_id: int) -> Subject:
    """Tries of a code, or of a password once more, for somebody who is half in already."""
    return Subject(f"{kind}:{admin_id}", Limit(free=4, longest=900))


class TooMany(Exception):
    """Too much was tried of late; `seconds` until the next attempt."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"Too many attempts: try again in {seconds} seconds.")
        self.seconds = seconds


class Attempts:
    """The counters; what is counted is not in the table, only a keyed digest of it."""

    def __init__(self, secret: str) -> None:
        self._secret = b"attempts:" + secret.encode()

    def count(self, at: datetime, *subjects: Subject) -> None:
        """Count an attempt before it is looked at. Raises TooMany, and then counts nothing."""
        with db.atomic():
            for subject in sorted(subjects):
                self._count(subject, at)

    def forgive(self, at: datetime, *subjects: Subject) -> None:
        """Take back what was counted for an attempt that was right; an account begins anew.

        An address does not, or one who knows a password could guess others' without an end.
        """
        with db.atomic():
            for subject in sorted(subjects):
                mine = Attempt.key == self._key(subject)
                if subject.name.startswith("address:"):
                    fewer = {"failures": Attempt.failures - 1, "open_at": at}
                    Attempt.update(fewer).where(mine, Attempt.failures > 0).execute()
                else:
                    Attempt.delete().where(mine).execute()

    def _count(self, subject: Subject, at: datetime) -> None:
        key = self._key(subject)
        current().serialise(int(key[:15], 16))
        row = Attempt.get_or_none(Attempt.key == key)
        if row is not None and row.open_at > at:
            raise TooMany(max(1, math.ceil((row.open_at - at).total_seconds())))
        failures = row.failures + 1 if row and row.updated_at > at - FORGOTTEN else 1
        counted = {"failures": failures, "open_at": at + subject.limit.pause(failures)}
        if row is None:
            Attempt.create(key=key, updated_at=at, **counted)
        else:
            Attempt.update(updated_at=at, **counted).where(Attempt.key == key).execute()

    def _key(self, subject: Subject) -> str:
        return hmac.new(self._secret, subject.name.encode(), hashlib.sha256).hexdigest()


def sweep(at: datetime) -> int:
    """Forget the counters that begin anew anyway."""
    return int(Attempt.delete().where(Attempt.updated_at < at - FORGOTTEN).execute())
