"""Accounts of the panel: made, changed, signed in; what changes rights ends the sessions."""

from __future__ import annotations

import re
from datetime import datetime

import peewee

from database import db, now
from services import audit, passwords, sessions
from services.audit import MASK, Actor
from staff import Admin, AuditEntry, StaffRole

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}")


class Refused(ValueError):
    """An account cannot be made or changed so; one sentence that says why."""


def any_owner() -> bool:
    """Whether somebody can manage the panel already; without, a set-up link may be used."""
    mine = (Admin.role == StaffRole.OWNER.value) & ~Admin.disabled
    return bool(Admin.select().where(mine).exists())


def find(name: str) -> Admin | None:
    """An account by its name, in any case of its letters."""
    found: Admin | None = Admin.get_or_none(peewee.fn.LOWER(Admin.name) == name.casefold())
    return found


def create(
    actor: Actor,
    name: str,
    role: StaffRole,
    *,
    password: str | None = None,
    telegram_id: int | None = None,
) -> Admin:
    """Make an account. Raises Refused."""
    if not NAME.fullmatch(name):
        raise Refused("A name is 1 to 64 of the characters A-Z a-z 0-9 . _ @ + -")
    if password is not None and (said := passwords.weakness(password, words=(name, "steadygram"))):
        raise Refused(said)
    with db.atomic():
        if find(name):
            raise Refused(f"The name {name} is taken.")
        if telegram_id and Admin.get_or_none(Admin.telegram_id == telegram_id):
            raise Refused("This Telegram id belongs to another account.")
        admin: Admin = Admin.create(
            name=name,
            role=role,
            telegram_id=telegram_id,
            password=passwords.keep(password) if password else None,
        )
        audit.record(actor, "admin.create", f"admin:{admin.id}", after={"name": name, "role": role})
    return admin


def set_password(actor: Actor, admin: Admin, password: str, *, but: str = "") -> None:
    """Give an account another password and end its sessions, `but` one. Raises Refused."""
    if said := passwords.weakness(password, words=(admin.name, "steadygram")):
        raise Refused(said)
    with db.atomic():
        _set(admin, password=passwords.keep(password))
        sessions.end_all(admin, but=but)
        audit.record(
            actor,
            "admin.password",
            f"admin:{admin.id}",
            {"password": MASK},
            {"password": "changed"},
        )


def set_role(
    actor: Actor, admin: Admin, role: StaffRole, *, reverts: int | None = None
) -> AuditEntry:
    """Give an account another role and end its sessions. Raises Refused for the last owner."""
    with db.atomic():
        before = {"role": admin.role}
        _set(admin, role=role)
        _keep_an_owner()
        sessions.end_all(admin)
        target, after = f"admin:{admin.id}", {"role": role}
        return audit.record(actor, "admin.role", target, before, after, reverts=reverts)


def set_disabled(actor: Actor, admin: Admin, disabled: bool) -> None:
    """Close an account, or open it again. Raises Refused for the last owner."""
    with db.atomic():
        before = {"disabled": admin.disabled}
        _set(admin, disabled=disabled)
        _keep_an_owner()
        sessions.end_all(admin)
        audit.record(actor, "admin.disable", f"admin:{admin.id}", before, {"disabled": disabled})


def check(name: str, password: str) -> Admin | None:
    """The account that a name and a password open.

    Takes as long, and says as little, for an unknown name, a wrong password and a closed account.
    """
    admin = find(name)
    right = passwords.fits(password, admin.password if admin else None)
    if admin is None or not right or admin.disabled:
        return None
    if admin.password and passwords.is_dated(admin.password):
        _set(admin, password=passwords.keep(password))
    return admin


def sign_in(admin: Admin, *, address: str, agent: str, at: datetime) -> str:
    """Begin a session; give what the cookie is to hold."""
    with db.atomic():
        _set(admin, signed_in_at=at)
        audit.record(Actor(admin.id, admin.name, address), "sign_in", f"admin:{admin.id}")
        return sessions.begin(admin, address=address, agent=agent, at=at)


def _keep_an_owner() -> None:
    if not any_owner():
        raise Refused("This is the last owner: make another one first.")


def _set(admin: Admin, **values: object) -> None:
    values["updated_at"] = now()
    Admin.update(values).where(Admin.id == admin.id).execute()
    admin.take(values)
