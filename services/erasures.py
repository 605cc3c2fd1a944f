"""Erasures: how processes learn that somebody was erased, without being told whom."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta

from models import Erasure

KEPT = timedelta(hours=1)


def announce(telegram_id: int) -> None:
    """Tell every process, in the caller's transaction."""
    salt = secrets.token_hex(16)
    Erasure.create(salt=salt, digest=_digest(salt, telegram_id))


def since(number: int, remembered: Iterable[int]) -> tuple[int, list[int]]:
    """The newest erasure after a number, and which of the remembered people were erased."""
    rows = list(Erasure.select().where(Erasure.id > number).order_by(Erasure.id))
    if not rows:
        return number, []
    people = list(remembered)
    found = [who for row in rows for who in people if _digest(row.salt, who) == row.digest]
    return rows[-1].id, found


def forget(at: datetime) -> int:
    """Delete those that every process has seen; give the number."""
    return int(Erasure.delete().where(Erasure.created_at < at - KEPT).execute())


def _digest(salt: str, telegram_id: int) -> str:
    return hashlib.sha256(f"{salt}:{telegram_id}".encode()).hexdigest()
