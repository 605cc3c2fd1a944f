"""The dossier: what the team sees of one person, a few rows of each kind and each by an index."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from peewee import JOIN, SQL

from models import (
    AnalyticsEvent,
    Ban,
    Bot,
    Conversation,
    Failure,
    Inbox,
    Status,
    User,
    UserPreference,
)
from services import preferences, users
from services.users import Referrals
from staff import Admin, StaffNote

A_PAGE = 20
COUNTED = 10_000


@dataclass(frozen=True, slots=True)
class Dossier:
    """One person, whole."""

    user: User
    ban: Ban | None
    chosen: UserPreference
    line: list[User]
    """Who brought them, and who brought those."""
    referrals: Referrals
    brought: list[User]
    """The newest of those whom they brought."""
    events: list[AnalyticsEvent]
    older: int | None
    """Where the next page of events begins."""
    conversations: list[Conversation]
    failures: list[Failure]
    waiting: list[Inbox]
    notes: list[StaffNote]
    bots: list[Bot]


def of(user: User, *, before: int | None = None) -> Dossier:
    """A person's dossier, with the events `before` one of them."""
    bots = list(Bot.select().order_by(Bot.id))
    page = _events(user, before)
    return Dossier(
        user=user,
        ban=_ban(user),
        chosen=preferences.of(user),
        line=users.line_of(user) if user.referrer_id else [],
        referrals=users.referrals(user),
        brought=_newest(User.select().where(User.referrer == user.id), User.id),
        events=page[:A_PAGE],
        older=page[A_PAGE - 1].id if len(page) > A_PAGE else None,
        conversations=_newest(
            Conversation.select().where(Conversation.user_id == user.telegram_id),
            Conversation.updated_at,
        ),
        failures=_newest(Failure.select().where(Failure.user_id == user.telegram_id), Failure.id),
        waiting=_waiting(user, [bot.id for bot in bots]),
        notes=_newest(
            StaffNote.select(StaffNote, Admin)
            .join(Admin, JOIN.LEFT_OUTER)
            .where(StaffNote.user == user.id),
            StaffNote.id,
        ),
        bots=bots,
    )


def count_events(user: User) -> int:
    """How many events there are of a person; counting ends one after COUNTED."""
    mine = AnalyticsEvent.select(SQL("1")).where(AnalyticsEvent.user == user.id)
    return int(mine.limit(COUNTED + 1).count())


def _events(user: User, before: int | None) -> list[AnalyticsEvent]:
    mine = AnalyticsEvent.select().where(AnalyticsEvent.user == user.id)
    if before is not None:
        mine = mine.where(AnalyticsEvent.id < before)
    return list(mine.order_by(AnalyticsEvent.id.desc()).limit(A_PAGE + 1))


def _newest(query: Any, column: Any) -> list[Any]:
    return list(query.order_by(column.desc()).limit(A_PAGE))


def _ban(user: User) -> Ban | None:
    """The row of a ban with who banned, in one query."""
    if user.status != Status.BANNED:
        return None
    by = User.alias()
    found: Ban | None = (
        Ban.select(Ban, by).join(by, JOIN.LEFT_OUTER, on=Ban.by).where(Ban.user == user.id).first()
    )
    return found


def _waiting(user: User, bot_ids: list[int]) -> list[Inbox]:
    """What they wrote to the bots themselves and was not handled yet."""
    theirs = Inbox.bot_id.in_(bot_ids) & (Inbox.lane == user.telegram_id)
    query = Inbox.select().where(theirs, Inbox.OPEN)
    return _newest(query, Inbox.update_id)
