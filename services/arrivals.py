"""Arrivals: who comes by a link, to set the panel up, to choose a password, or from the bot."""

from __future__ import annotations

from datetime import datetime

from database import current, db
from services import admins, audit, links
from services.audit import Actor
from services.links import Purpose
from staff import Admin, StaffRole


def accept_set_up(actor: Actor, token: str, name: str, password: str, at: datetime) -> Admin | None:
    """Make the first account, an owner's, by a set-up link; None when the link is over.

    Raises Refused, and then the link stays good.
    """
    with db.atomic():
        current().serialise(admins.CHANGING)
        link = links.find(token, Purpose.SET_UP, at)
        if link is None or admins.any_owner() or not links.use(link, at):
            return None
        return admins.create(actor, name, StaffRole.OWNER, password=password)


def invited(token: str, purpose: Purpose, at: datetime) -> Admin | None:
    """The account that a link is for, while it may be used."""
    link = links.find(token, purpose, at)
    return None if link is None or link.admin is None or link.admin.disabled else link.admin


def invite(actor: Actor, admin: Admin, at: datetime) -> str:
    """A link with which somebody chooses the password of their account; earlier ones are over."""
    with db.atomic():
        links.end_all(admin)
        audit.record(actor, "admin.invite", f"admin:{admin.id}")
        return links.make(admin, Purpose.INVITE, at)


def accept_invite(token: str, password: str, at: datetime, *, address: str) -> Admin | None:
    """Choose a password by a link; None when it is over. Raises Refused, and it stays good."""
    with db.atomic():
        link = links.find(token, Purpose.INVITE, at)
        if link is None or link.admin is None or link.admin.disabled or not links.use(link, at):
            return None
        actor = Actor(link.admin_id, link.admin.name, address)
        admins.set_password(actor, link.admin, password)
        return link.admin


def panel_link(telegram_id: int, at: datetime) -> str | None:
    """A link from the bot for the account of a Telegram id; None when there is none that is open.

    By the number alone: a username can be given up, and taken by somebody else.
    """
    mine = (Admin.telegram_id == telegram_id) & ~Admin.disabled
    if (admin := Admin.get_or_none(mine)) is None:
        return None
    with db.atomic():
        audit.record(Actor(admin.id, admin.name, "telegram"), "panel.link", f"admin:{admin.id}")
        return links.make(admin, Purpose.PANEL, at)


def accept_panel_link(token: str, at: datetime) -> Admin | None:
    """The account that a link from the bot opens, this once; None when the link is over."""
    with db.atomic():
        link = links.find(token, Purpose.PANEL, at)
        if link is None or link.admin is None or not links.use(link, at):
            return None
        open_ = link.admin.telegram_id is not None and not link.admin.disabled
        return link.admin if open_ else None
