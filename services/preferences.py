"""What each person chose: their time zone, their quiet hours, the notices that they want."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from database import db, now
from models import Notice, User, UserPreference
from services import zones

DAY = 24 * 60
"""Minutes."""


def of(user: User) -> UserPreference:
    """What a person chose; a row that is not in the table yet when they chose nothing."""
    return UserPreference.get_or_none(UserPreference.user == user.id) or UserPreference(user=user)


def zone_of(user: User) -> tzinfo:
    """The person's time zone; UTC when they chose none."""
    return zones.zone(of(user).time_zone)


def set_zone(user: User, said: str) -> str | None:
    """Take the time zone that a person means, such as "Berlin" or "+3"; its name, or None."""
    name = zones.find(said)
    if name:
        _keep(user, time_zone=name)
    return name


def set_quiet(user: User, start: int | None, end: int | None) -> None:
    """Send no notices from `start` to `end`, minutes after midnight; None for no quiet hours.

    Raises ValueError for what is no time of the day.
    """
    if (start is None) != (end is None) or not all(
        0 <= minute < DAY for minute in (start, end) if minute is not None
    ):
        raise ValueError(f"{start} to {end} are no quiet hours: give minutes from 0 to {DAY - 1}.")
    _keep(user, quiet_from=start, quiet_until=end)


def set_wanted(user: User, category: str, wanted: bool) -> None:
    """Send a category's notices, "plugin.category", or do not."""
    with db.atomic():
        muted = set(of(user).muted) - {category}
        _keep(user, muted=sorted(muted if wanted else muted | {category}))


def quiet_end(chosen: UserPreference, at: datetime) -> datetime | None:
    """When the quiet hours end that `at` falls into, None outside of them; both UTC and naive.

    By the clock on the person's wall, which may be put forward or back in between.
    """
    start, end = chosen.quiet_from, chosen.quiet_until
    if start is None or end is None:
        return None
    local = at.replace(tzinfo=UTC).astimezone(zones.zone(chosen.time_zone))
    minute = local.hour * 60 + local.minute
    if not (start <= minute < end if start <= end else minute >= start or minute < end):
        return None
    over = local.replace(hour=end // 60, minute=end % 60, second=0, microsecond=0)
    if minute >= end:
        over = (over + timedelta(days=1)).replace(fold=0)
    return over.astimezone(UTC).replace(tzinfo=None)


def _keep(user: User, **chosen: Any) -> None:
    """Keep a choice, and look anew at the notices that wait by the old one."""
    at = now()
    fresh = {"muted": [], "updated_at": at, **chosen}
    changed: Iterable[Any] = [getattr(UserPreference, name) for name in ("updated_at", *chosen)]
    with db.atomic():
        UserPreference.insert(user=user.id, **fresh).on_conflict(
            conflict_target=[UserPreference.user], preserve=changed
        ).execute()
        Notice.update(due_at=Notice.planned_at).where(Notice.user == user.id).execute()
