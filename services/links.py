"""Links that sign in once: for the first owner, and for admins who ask the bot for one."""

from __future__ import annotations

from datetime import datetime, timedelta

from services import tokens
from staff import Admin, Link

SETUP = timedelta(hours=1)
PANEL = timedelta(minutes=2)


def make(admin: Admin | None, at: datetime) -> str:
    """A new link's secret, for an account or (None) to set up the first one."""
    token = tokens.make()
    until = at + (PANEL if admin else SETUP)
    Link.create(digest=tokens.digest(token), admin=admin, expires_at=until, created_at=at)
    return token


def find(token: str, at: datetime) -> Link | None:
    """The link, when it may still be used."""
    link: Link | None = Link.get_or_none(Link.digest == tokens.digest(token))
    return link if link and link.used_at is None and at < link.expires_at else None


def use(link: Link, at: datetime) -> bool:
    """Use a link up, in the transaction of what it is for; False when another was faster."""
    unused = (Link.digest == link.digest) & Link.used_at.is_null()
    return bool(Link.update(used_at=at).where(unused, Link.expires_at > at).execute())


def sweep(at: datetime) -> int:
    """Forget the links that nobody may use any more."""
    return int(Link.delete().where(Link.expires_at < at).execute())
