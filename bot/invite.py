"""What `python -m bot create-admin` does: links by which people get their account of the panel."""

from __future__ import annotations

import sys

from bot.opened import opened
from choices import StaffRole
from database import now
from services import admins, arrivals, links
from services.audit import TERMINAL
from settings import Settings


def setup_address(settings: Settings) -> str | None:
    """The address that makes the first owner: once, and for an hour; None when there is one.

    Addresses that were given before are over.
    """
    with opened(settings) as database, database.connection_context():
        if admins.any_owner():
            return None
        return f"{settings.admin_url}/setup/{links.set_up(now())}"


def create_admin(
    settings: Settings, name: str | None, role: StaffRole, telegram_id: str | None
) -> int:
    """Print the address for the first owner, or make an account and print its own; 1: refused."""
    if name is None:
        if address := setup_address(settings):
            print(f"Open this within an hour to make the first account:\n{address}")
            return 0
        print("The panel has an owner: say --name NAME --role ROLE.", file=sys.stderr)
        return 1
    with opened(settings) as database, database.connection_context():
        try:
            number = admins.read_telegram_id(telegram_id or "")
            with database.atomic():
                admin = admins.create(TERMINAL, name, StaffRole(role), telegram_id=number)
                token = arrivals.invite(TERMINAL, admin, now())
        except admins.Refused as error:
            print(error, file=sys.stderr)
            return 1
    print(f"{name} chooses a password here, within an hour:\n{settings.admin_url}/invite/{token}")
    return 0
