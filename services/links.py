"""Links that work once: to set the panel up, to choose a password, to sign in from the bot."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from services import tokens
from staff import Admin, Link


class Purpose(StrEnum):
    """What a link is for; its digest is of this too, so that it opens nothing else."""

    SET_UP = "set-up"
    INVITE = "invite"
    PANEL = "panel"


LIFE = {
    Purpose.SET_UP: timedelta(hours=1),
    Purpose.INVITE: timedelta(hours=1),
    Purpose.PANEL: timedelta(minutes=2),
}


def set_up(at: datetime) -> str:
    """The secret of a link that makes the first owner; links that were made before are over."""
    Link.delete().where(Link.admin.is_null()).execute()
    return _make(None, Purpose.SET_UP, at)


def make(admin: Admin, purpose: Purpose, at: datetime) -> str:
    """The secret of a new link for an account."""
    return _make(admin, purpose, at)


def _make(admin: Admin | None, purpose: Purpose, at: datetime) -> str:
    token = tokens.make()
    until = at + LIFE[purpose]
    Link.create(digest=_digest(token, purpose), admin=admin, expires_at=until, created_at=at)
    return token


def find(token: str, purpose: Purpose, at: datetime) -> Link | None:
    """The link, when it may still be used for this."""
    link: Link | None = Link.get_or_none(Link.digest == _digest(token, purpose))
    return link if link and link.used_at is None and at < link.expires_at else None


def use(link: Link, at: datetime) -> bool:
    """Use a link up, in the transaction of what it is for; False when another was faster."""
    unused = (Link.digest == link.digest) & Link.used_at.is_null()
    return bool(Link.update(used_at=at).where(unused, Link.expires_at > at).execute())


def end_all(admin: Admin) -> int:
    """Forget every link of an account: its rights, its password or its Telegram id changed."""
    return int(Link.delete().where(Link.admin == admin.id).execute())


def sweep(at: datetime) -> int:
    """Forget the links that nobody may use any more."""
    return int(Link.delete().where(Link.expires_at < at).execute())


def _digest(token: str, purpose: Purpose) -> str:
    return tokens.digest(f"{purpose}:{token}")
