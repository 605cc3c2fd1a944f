"""Halfway in: somebody whose password was right, or who has a link, and whose code is to come.

It is in the signed cookie of the forms, for five minutes, and opens nothing by itself.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from flask import session

from services import admins, tokens
from staff import Admin

KEY = "halfway"
LIFE = timedelta(minutes=5)


def begin(admin: Admin, how: str, at: datetime) -> None:
    """Note who is halfway in, and by what."""
    session[KEY] = [admin.id, how, at.isoformat(), _stamp(admin)]


def find(at: datetime) -> tuple[Admin, str] | None:
    """Who is halfway in, and by what; None when that is too old or the account has changed."""
    admin_id, how, since, stamp = session.get(KEY) or (0, "", "", "")
    admin = admins.get(admin_id)
    if admin is None or admin.disabled or not admin.totp_secret or _stamp(admin) != stamp:
        return None
    return (admin, how) if at - datetime.fromisoformat(since) < LIFE else None


def _stamp(admin: Admin) -> str:
    """What changes with the rights and the secrets of an account."""
    return tokens.digest(f"{admin.role} {admin.password} {admin.totp_secret}")[:32]
