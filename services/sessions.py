"""Sessions of the panel: kept here and not in the browser, so that they can be ended."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

from peewee import JOIN

from services import tokens
from staff import Admin, Session

IDLE = timedelta(minutes=30)
LONGEST = timedelta(hours=12)
TOUCHED = timedelta(minutes=1)
"""How often it is written down that a session is in use."""
FRESH = timedelta(minutes=10)
"""How long after the password or a code was given what is most dangerous may be done."""


def begin(admin: Admin, *, address: str, agent: str, at: datetime) -> str:
    """Sign somebody in; give what the cookie is to hold, which is kept nowhere."""
    token = tokens.make()
    Session.create(
        digest=tokens.digest(token),
        admin=admin,
        address=address[:64],
        agent=agent[:256],
        confirmed_at=at,
        seen_at=at,
        created_at=at,
    )
    return token


def find(token: str, at: datetime, *, used: bool = True) -> Session | None:
    """The session of a cookie with its account, unless it is over or the account is disabled.

    `used`: a person did something, and not only a page that looks for news.
    """
    session: Session | None = (
        Session.select(Session, Admin)
        .join(Admin, JOIN.INNER)
        .where(Session.digest == tokens.digest(token), ~Admin.disabled)
        .first()
    )
    if session is None or is_over(session, at):
        return None
    if used and at - session.seen_at >= TOUCHED:
        Session.update(seen_at=at).where(Session.digest == session.digest).execute()
    return session


def is_over(session: Session, at: datetime) -> bool:
    """Whether a session was not used for too long, or is too old."""
    return at - session.seen_at > IDLE or at - session.created_at > LONGEST


def is_fresh(session: Session, at: datetime) -> bool:
    """Whether the password or a code was given a moment ago."""
    return at - session.confirmed_at <= FRESH


def renew(session: Session, at: datetime, *, confirmed: bool) -> str | None:
    """Give a session another id, since its rights change; who copied the cookie has nothing of it.

    `confirmed`: the password or a code was given. None when the session was ended meanwhile.
    """
    token = tokens.make()
    fresh = {"digest": tokens.digest(token), "seen_at": at}
    if confirmed:
        fresh["confirmed_at"] = at
    return (
        token if Session.update(fresh).where(Session.digest == session.digest).execute() else None
    )


def of(admin: Admin, at: datetime) -> list[Session]:
    """The sessions of an account that are not over, the one used last first."""
    mine = Session.select().where(Session.admin == admin.id).order_by(Session.seen_at.desc())
    return [session for session in mine if not is_over(session, at)]


def count_by_admin(at: datetime) -> Counter[int]:
    """How many sessions each account has."""
    going = (Session.seen_at >= at - IDLE) & (Session.created_at >= at - LONGEST)
    return Counter(session.admin_id for session in Session.select(Session.admin).where(going))


def end(digest: str, admin: Admin | None = None) -> bool:
    """End one session, of this account if one is named; whether there was one."""
    own = (Session.admin == admin.id,) if admin else ()
    return bool(Session.delete().where(Session.digest == digest, *own).execute())


def end_all(admin: Admin, *, but: str = "") -> int:
    """End every session of an account, but for one: its rights or its password changed."""
    return int(Session.delete().where(Session.admin == admin.id, Session.digest != but).execute())


def sweep(at: datetime) -> int:
    """Forget the sessions that are over."""
    over = (Session.seen_at < at - IDLE) | (Session.created_at < at - LONGEST)
    return int(Session.delete().where(over).execute())
