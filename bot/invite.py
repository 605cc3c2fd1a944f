"""The address at which the first owner sets the panel up; it works once, for an hour."""

from __future__ import annotations

from bot.opened import opened
from database import db, now
from services import admins, links
from settings import Settings


def setup_address(settings: Settings) -> str | None:
    """A new address, while the panel has no owner; None when it has one."""
    with opened(settings), db.connection_context():
        if admins.any_owner():
            return None
        token = links.make(None, now())
    return f"http://localhost:{settings.admin_port}/setup/{token}"
