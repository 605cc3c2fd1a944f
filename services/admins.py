"""Accounts of the panel: made, changed, signed in; what changes rights ends the sessions."""

from __future__ import annotations

import re
from datetime import datetime

import peewee

from database import current, db, now
from services import attempts, audit, links, passwords, sessions
from services.audit import MASK, Actor
from staff import Admin, AuditEntry, StaffRole

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}")
TELEGRAM_ID = re.compile(r"[1-9][0-9]{0,15}")
CHANGING = 0xAD01
"""Key of the lock under which accounts are made, and lose rights, one at a time."""


class Refused(ValueError):
    """An account cannot be made or changed so; one sentence that says why."""


def any_owner() -> bool:
    """Whether somebody can manage the panel already; without, a set-up link may be used."""
    mine = (Admin.role == StaffRole.OWNER.value) & ~Admin.disabled
    return bool(Admin.select().where(mine).exists())


def find(name: str) -> Admin | None:
    """An account by its name, in any case of its letters."""
    if not NAME.fullmatch(name):
        return None
    found: Admin | None = Admin.get_or_none(peewee.fn.LOWER(Admin.name) == name.casefold())
    return found


def get(admin_id: int) -> Admin | None:
    """An account by its number."""
    found: Admin | None = Admin.get_or_none(Admin.id == admin_id) if admin_id < 2**31 else None
    return found


def read_telegram_id(text: str) -> int | None:
    """A Telegram id as somebody wrote it; None for nothing. Raises Refused."""
    if not (text := text.strip()):
        return None
    if not TELEGRAM_ID.fullmatch(text):
        raise Refused("A Telegram id is a number, such as 123456789: /profile of the bot says it.")
    return int(text)


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
    kept = passwords.keep(password) if password is not None else None
    with db.atomic():
        current().serialise(CHANGING)
        if find(name):
            raise Refused(f"The name {name} is taken.")
        _refuse_taken(telegram_id)
        admin: Admin = Admin.create(name=name, role=role, telegram_id=telegram_id, password=kept)
        made = {"name": name, "role": role, "telegram": telegram_id is not None}
        audit.record(actor, "admin.create", f"admin:{admin.id}", after=made)
    return admin


def set_password(actor: Actor, admin: Admin, password: str, *, but: str = "") -> None:
    """Give an account another password; its sessions, `but` one, and its links are over.

    Raises Refused.
    """
    if said := passwords.weakness(password, words=(admin.name, "steadygram")):
        raise Refused(said)
    kept = passwords.keep(password)
    with db.atomic():
        change(admin, password=kept)
        shut_out(admin, but=but)
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
        current().serialise(CHANGING)
        before = {"role": admin.role}
        change(admin, role=role)
        _keep_an_owner()
        shut_out(admin)
        target, after = f"admin:{admin.id}", {"role": role}
        return audit.record(actor, "admin.role", target, before, after, reverts=reverts)


def set_disabled(actor: Actor, admin: Admin, disabled: bool) -> None:
    """Close an account, or open it again. Raises Refused for the last owner."""
    with db.atomic():
        current().serialise(CHANGING)
        before = {"disabled": admin.disabled}
        change(admin, disabled=disabled)
        _keep_an_owner()
        shut_out(admin)
        audit.record(actor, "admin.disable", f"admin:{admin.id}", before, {"disabled": disabled})


def set_telegram_id(actor: Actor, admin: Admin, telegram_id: int | None) -> None:
    """Say whom the bot may give links to an account; links of before are over. Raises Refused."""
    with db.atomic():
        current().serialise(CHANGING)
        _refuse_taken(telegram_id, but=admin.id)
        change(admin, telegram_id=telegram_id)
        shut_out(admin)
        told = {"telegram": telegram_id is not None}
        audit.record(actor, "admin.telegram", f"admin:{admin.id}", None, told)


def end_session(actor: Actor, admin: Admin, digest: str) -> bool:
    """End one session of an account; whether there was one."""
    with db.atomic():
        if ended := sessions.end(digest, admin):
            audit.record(actor, "admin.sign_out", f"admin:{admin.id}", after={"sessions": 1})
    return ended


def end_sessions(actor: Actor, admin: Admin, *, but: str = "") -> int:
    """Sign an account out everywhere, `but` for one session; how many there were."""
    with db.atomic():
        ended = sessions.end_all(admin, but=but)
        audit.record(actor, "admin.sign_out", f"admin:{admin.id}", after={"sessions": ended})
    return ended


def check(name: str, password: str) -> Admin | None:
    """The account that a name and a password open.

    Takes as long, and says as little, for an unknown name, a wrong password and a closed account.
    """
    admin = find(name)
    right = passwords.fits(password, admin.password if admin else None)
    if admin is None or not right or admin.disabled:
        return None
    if admin.password and passwords.is_dated(admin.password):
        _keep_anew(admin, password)
    return admin


def sign_in(admin: Admin, *, how: str, address: str, agent: str, at: datetime) -> str | None:
    """Begin a session; give what the cookie is to hold.

    None when the account was closed or changed since it was looked at: what ends sessions ends
    those that are about to begin, too.
    """
    same = [Admin.role == admin.role, ~Admin.disabled]
    for name in ("password", "totp_secret", "telegram_id"):
        field, value = getattr(Admin, name), getattr(admin, name)
        same.append(field.is_null() if value is None else field == value)
    with db.atomic():
        unchanged = Admin.update(signed_in_at=at).where(Admin.id == admin.id, *same)
        if not unchanged.execute():
            return None
        actor = Actor(admin.id, admin.name, address)
        audit.record(actor, "sign_in", f"admin:{admin.id}", after={"by": how})
        return sessions.begin(admin, address=address, agent=agent, at=at)


def change(admin: Admin, **values: object) -> None:
    """Write columns of an account, and the time of it; the caller sees to the audit log."""
    values["updated_at"] = now()
    Admin.update(values).where(Admin.id == admin.id).execute()
    admin.take(values)


def shut_out(admin: Admin, *, but: str = "") -> None:
    """End the sessions of an account, `but` for one, and its links: its rights have changed."""
    sessions.end_all(admin, but=but)
    links.end_all(admin)


def sweep(at: datetime) -> int:
    """Forget sessions, links and counted attempts that are over."""
    return sessions.sweep(at) + links.sweep(at) + attempts.sweep(at)


def _keep_anew(admin: Admin, password: str) -> None:
    """Keep the same password by today's parameters, unless another was chosen meanwhile."""
    kept, same = passwords.keep(password), Admin.password == admin.password
    if Admin.update(password=kept).where(Admin.id == admin.id, same).execute():
        admin.take({"password": kept})


def _refuse_taken(telegram_id: int | None, *, but: int = 0) -> None:
    if telegram_id is None:
        return
    taken = (Admin.telegram_id == telegram_id) & (Admin.id != but)
    if Admin.select().where(taken).exists():
        raise Refused("This Telegram id belongs to another account.")


def _keep_an_owner() -> None:
    if not any_owner():
        raise Refused("This is the last owner: make another one first.")
