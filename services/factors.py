"""The second factor: codes of an authenticator (TOTP), each good once, and codes to recover by."""

from __future__ import annotations

import base64
import hmac
import re
import secrets
from datetime import UTC, datetime

import pyotp

from database import current, db
from services import admins, audit, tokens
from services.audit import MASK, Actor
from services.seals import Broken, Seals
from staff import Admin, RecoveryCode

ISSUER = "Steadygram"
STEP = 30
DRIFT = 1
"""How many steps a phone's clock may be wrong."""
CODES = 10
BITS = 80
OFFERED = 1800
"""Seconds in which a secret that was offered is to be confirmed."""


def address(admin: Admin, secret: str) -> str:
    """What an authenticator reads from the picture."""
    return pyotp.TOTP(secret).provisioning_uri(name=admin.name, issuer_name=ISSUER)


class Factors:
    """What is done with the second factor of accounts; their secrets are sealed."""

    def __init__(self, seals: Seals) -> None:
        self._seals = seals

    def offer(self, admin: Admin, at: datetime) -> tuple[str, str]:
        """A new secret of 160 bits, and the same sealed, to come back with the first code."""
        secret = pyotp.random_base32()
        return secret, self._seals.seal(secret, f"offer:{admin.id}", at)

    def offered(self, admin: Admin, sealed: str, at: datetime) -> str:
        """The secret that was offered to this account a while ago. Raises Broken."""
        return self._seals.open(sealed, f"offer:{admin.id}", at=at, seconds=OFFERED)

    def turn_on(
        self, actor: Actor, admin: Admin, sealed: str, code: str, at: datetime, *, but: str = ""
    ) -> list[str]:
        """Ask for codes from now on, once the first one is right; give new recovery codes.

        Every session of the account ends, `but` for one. Raises Refused.
        """
        try:
            secret = self.offered(admin, sealed, at)
        except Broken as error:
            raise admins.Refused(str(error)) from None
        if (step := _matching(secret, code, at)) is None:
            raise admins.Refused("The code is wrong: is the clock of your phone right?")
        with db.atomic():
            current().serialise(admins.CHANGING)
            kept = self._seals.seal(secret, f"totp:{admin.id}", at)
            admins.change(admin, totp_secret=kept, totp_step=step)
            admins.shut_out(admin, but=but)
            codes = _renew_codes(admin)
            audit.record(actor, "admin.totp", f"admin:{admin.id}", None, {"totp": MASK})
        return codes

    def turn_off(self, actor: Actor, admin: Admin, *, but: str = "") -> None:
        """Ask for no codes any more; every session of the account ends, `but` for one."""
        with db.atomic():
            admins.change(admin, totp_secret=None)
            RecoveryCode.delete().where(RecoveryCode.admin == admin.id).execute()
            admins.shut_out(admin, but=but)
            audit.record(actor, "admin.totp", f"admin:{admin.id}", {"totp": MASK}, {"totp": None})

    def renew_codes(self, actor: Actor, admin: Admin) -> list[str]:
        """New recovery codes instead of the old ones; they are shown this once."""
        with db.atomic():
            current().serialise(admins.CHANGING)
            codes = _renew_codes(admin)
            audit.record(actor, "admin.recovery_codes", f"admin:{admin.id}")
        return codes

    def accept(self, admin: Admin, code: str, at: datetime) -> bool:
        """Whether it is a code of now that was not used yet; then it is used up."""
        try:
            secret = self._seals.open(admin.totp_secret or "", f"totp:{admin.id}", at=at)
        except Broken:
            return False
        step = _matching(secret, code, at, after=admin.totp_step)
        if step is None:
            return False
        values: dict[str, object] = {"totp_step": step}
        if self._seals.is_dated(admin.totp_secret or "", f"totp:{admin.id}"):
            values["totp_secret"] = self._seals.seal(secret, f"totp:{admin.id}", at)
        unused = (Admin.id == admin.id) & (Admin.totp_step < step)
        same = Admin.totp_secret == admin.totp_secret
        if not Admin.update(values).where(unused, same).execute():
            return False
        admin.take(values)
        return True


def recover(actor: Actor, admin: Admin, code: str, at: datetime) -> bool:
    """Whether it is a recovery code that was not used yet; then it is used up."""
    mine = (RecoveryCode.admin == admin.id) & (RecoveryCode.digest == _digest(code))
    with db.atomic():
        used = RecoveryCode.update(used_at=at).where(mine, RecoveryCode.used_at.is_null())
        if not used.execute():
            return False
        audit.record(actor, "admin.recovered", f"admin:{admin.id}")
    return True


def codes_left(admin: Admin) -> int:
    """How many recovery codes are still good."""
    left = (RecoveryCode.admin == admin.id) & RecoveryCode.used_at.is_null()
    return int(RecoveryCode.select().where(left).count())


def _matching(secret: str, code: str, at: datetime, *, after: int = 0) -> int | None:
    """The newest time step whose code it is, of those after the last one that was used."""
    given = re.sub(r"\s", "", code)
    if not re.fullmatch(r"[0-9]{6}", given):
        return None
    now = int(at.replace(tzinfo=UTC).timestamp()) // STEP
    totp = pyotp.TOTP(secret)
    steps = [
        step
        for step in range(now - DRIFT, now + DRIFT + 1)
        if hmac.compare_digest(totp.generate_otp(step), given) and step > after
    ]
    return max(steps, default=None)


def _renew_codes(admin: Admin) -> list[str]:
    codes = [_make_code() for _ in range(CODES)]
    RecoveryCode.delete().where(RecoveryCode.admin == admin.id).execute()
    rows = [{"admin": admin.id, "digest": _digest(code)} for code in codes]
    RecoveryCode.insert_many(rows).execute()
    return codes


def _make_code() -> str:
    text = base64.b32encode(secrets.token_bytes(BITS // 8)).decode().lower()
    return "-".join(text[place : place + 4] for place in range(0, len(text), 4))


def _digest(code: str) -> str:
    """What is kept of a recovery code, however it is written."""
    return tokens.digest(re.sub(r"[^a-z2-7]", "", code.casefold()[:100]))
