"""Proofs of who somebody is: passwords and codes, looked at no more often than the limits allow."""

from __future__ import annotations

import re
from collections.abc import Callable

from flask import request

from admin.panel import Panel
from services import admins, attempts, factors, passwords
from services.attempts import Attempts, Subject
from services.audit import Actor
from services.factors import Factors
from services.seals import Seals
from staff import Admin

CODE = re.compile(r"\s*[0-9]{3}\s*[0-9]{3}\s*")


class Proofs:
    """Each method counts the attempt, then looks. Raises TooMany, and then nothing is looked at."""

    def __init__(self, panel: Panel) -> None:
        settings = panel.settings
        keys = [key.reveal() for key in (settings.secret_key, *settings.secret_key_fallbacks)]
        self.factors = Factors(Seals(*keys))
        self._attempts = Attempts(keys[0])
        self._clock = panel.clock

    def password(self, name: str, password: str) -> Admin | None:
        """The account that a name and a password open; a second factor may still be asked for."""
        mine, here = attempts.account(name), _here()
        self._attempts.count(self._clock(), mine, here)
        admin = admins.check(name.strip(), password)
        if admin is not None:
            self._attempts.forgive(self._clock(), here, *(() if admin.totp_secret else (mine,)))
        return admin

    def code(self, admin: Admin, given: str) -> str | None:
        """What the second factor was, a code or a recovery code; None for a wrong one."""
        at = self._clock()
        mine, here = attempts.proof("code", admin.id), _here()
        self._attempts.count(at, mine, here)
        actor = Actor(admin.id, admin.name, request.remote_addr or "")
        if CODE.fullmatch(given):
            how = "code" if self.factors.accept(admin, given, at) else None
        else:
            how = "recovery code" if factors.recover(actor, admin, given, at) else None
        if how:
            self._attempts.forgive(at, mine, here, attempts.account(admin.name))
        return how

    def again(self, admin: Admin, given: str) -> bool:
        """Whether it is the password, or a code, of somebody who is signed in already."""
        if CODE.fullmatch(given) and admin.totp_secret:
            return self._try(admin, lambda: self.factors.accept(admin, given, self._clock()))
        return self.own_password(admin, given)

    def own_password(self, admin: Admin, given: str) -> bool:
        """Whether it is the password of somebody who is signed in already."""
        return self._try(admin, lambda: passwords.fits(given, admin.password))

    def _try(self, admin: Admin, look: Callable[[], bool]) -> bool:
        subjects = (attempts.proof("confirm", admin.id), _here())
        self._attempts.count(self._clock(), *subjects)
        if right := look():
            self._attempts.forgive(self._clock(), *subjects)
        return right


def _here() -> Subject:
    return attempts.address(request.remote_addr or "")
