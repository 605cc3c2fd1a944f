"""Messages that are no answers: kept until they are sent, or nobody wants them."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from database import as_param, db, now
from models import Notice, Status, User, UserPreference
from services import preferences


def notify(
    user: User | int,
    text: str,
    *,
    category: str,
    buttons: Any = None,
    parse_mode: str | None = None,
    bot_id: int | None = None,
    at: datetime | None = None,
) -> bool:
    """Have a message sent to a person, by their id at Telegram, as soon as they want it.

    Writes in the caller's transaction; the bot's process sends it. `category` is
    "plugin.category", `buttons` a reply_markup as Telegram takes it, `at` the earliest time, UTC
    where it has no zone. False for somebody whom the bots do not know.
    """
    person = user if isinstance(user, User) else User.get_or_none(User.telegram_id == user)
    if person is None:
        return False
    given = {"text": text, "parse_mode": parse_mode, "reply_markup": buttons}
    params = {name: value for name, value in given.items() if value is not None}
    planned = at or now()
    if planned.tzinfo is not None:
        planned = planned.astimezone(UTC).replace(tzinfo=None)
    Notice.create(
        bot_id=bot_id,
        user=person.id,
        category=category,
        params=json.loads(json.dumps(params)),
        due_at=planned,
        planned_at=planned,
    )
    return True


def due(bot_ids: Collection[int | None], at: datetime, *, limit: int = 200) -> list[Notice]:
    """Each person's oldest notice that some bots may send by now, with the person.

    None goes before an older one that is being tried again.
    """
    named = sorted(bot for bot in bot_ids if bot is not None)
    sql = _due_sql(len(named), None in bot_ids, db.param)
    values = [*named, as_param(at), as_param(at), limit]
    ids = [number for (number,) in db.execute_sql(sql, values).fetchall()]
    if not ids:
        return []
    found = Notice.select(Notice, User).join(User).where(Notice.id.in_(ids))
    return list(found.order_by(Notice.id))


@lru_cache(maxsize=16)
def _due_sql(count: int, anyone: bool, param: str) -> str:
    """Asked every second and after each message of a test: worth making once."""
    mine = [f"bot_id IN ({', '.join([param] * count)})"] * bool(count) + ["bot_id IS NULL"] * anyone
    return (
        f"SELECT MIN(id) FROM notices WHERE ({' OR '.join(mine)}) AND due_at <= {param}"
        " AND NOT EXISTS (SELECT 1 FROM notices AS older WHERE older.user_id = notices.user_id"
        f" AND older.id < notices.id AND older.tries > 0 AND older.due_at > {param})"
        f" GROUP BY user_id ORDER BY MIN(id) LIMIT {param}"
    )


def choices(notices: Collection[Notice]) -> dict[int, UserPreference]:
    """What the people of some notices chose, by the ids of their rows."""
    ids = {notice.user_id for notice in notices}
    rows = UserPreference.select().where(UserPreference.user.in_(sorted(ids)))
    return {row.user_id: row for row in rows}


def unwanted(notice: Notice, chosen: UserPreference | None) -> bool:
    """Whether nobody is there to read it, or does not want to."""
    muted = chosen is not None and notice.category in chosen.muted
    return muted or notice.user.status != Status.ACTIVE


def quiet_until(chosen: UserPreference | None, at: datetime) -> datetime | None:
    """When the person may be written to again, None for now."""
    return preferences.quiet_end(chosen, at) if chosen else None


def postpone(notice: Notice, until: datetime, *, tries: int | None = None) -> None:
    """Look at a notice again later."""
    changed = {"due_at": until} | ({} if tries is None else {"tries": tries})
    Notice.update(changed).where(Notice.id == notice.id).execute()


def divide(notice: Notice, pieces: Sequence[Mapping[str, Any]]) -> None:
    """Keep several messages in the place of one that is too long."""
    with db.atomic():
        drop(notice)
        for params in pieces:
            Notice.create(
                bot_id=notice.bot_id,
                user=notice.user_id,
                category=notice.category,
                params=dict(params),
                due_at=notice.due_at,
                planned_at=notice.planned_at,
            )


def drop(notice: Notice) -> None:
    """Forget a notice: it is sent, or not wanted."""
    Notice.delete().where(Notice.id == notice.id).execute()
