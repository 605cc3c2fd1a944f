"""Updates whose handlers raised: kept, told once, tried again or dismissed."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any
from weakref import WeakKeyDictionary

from database import Database, current, db, now
from models import Failure, Inbox

NOTICE_EVERY = timedelta(hours=1)
REMEMBERED = 1000
"""Distinct errors whose last notice this process remembers."""

_told: WeakKeyDictionary[Database, dict[str, datetime]] = WeakKeyDictionary()


def record(
    *,
    bot_id: int,
    update_id: int,
    plugin: str,
    handler: str,
    error: str,
    message: str,
    traceback: str,
    fingerprint: str,
    payload: str | None,
    user_id: int | None = None,
    chat_id: int | None = None,
    noticed_at: datetime | None = None,
) -> int:
    """Keep a failure with the raw update as JSON text, and give its id.

    `fingerprint` is the same for the same error in the same place; `noticed_at` is when the
    owners were told. Writes in the caller's transaction.
    """
    failure = Failure.create(
        bot_id=bot_id,
        update_id=update_id,
        plugin=plugin[:64],
        handler=handler[:128],
        error=error[:128],
        message=_text(message),
        traceback=_text(traceback),
        fingerprint=fingerprint,
        payload=payload,
        user_id=user_id,
        chat_id=chat_id,
        noticed_at=noticed_at,
    )
    return failure.id


def notice_due(fingerprint: str, now: datetime) -> bool:
    """Whether the owners shall be told of an error: once an hour, over restarts too.

    True counts as told: the next call within the hour says False, before the row is written.
    """
    told = _told.setdefault(current(), {})
    last = told.get(fingerprint) or _noticed_at(fingerprint)
    if last is not None and now - NOTICE_EVERY < last <= now:  # later: a clock was set back
        return False
    if len(told) >= REMEMBERED:
        told.clear()
    told[fingerprint] = now
    return True


def replay(failure_id: int) -> bool:
    """Put the update of an open failure back into the inbox, to be handled once more.

    False when the failure is not open any more, has no update, or its update waits already.
    """
    with db.atomic():
        failure = Failure.get_or_none(Failure.id == failure_id, Failure.state == "open")
        if failure is None or not failure.payload or not _queue(failure):
            return False
        return _close(failure_id, "replayed")


def dismiss(failure_id: int) -> bool:
    """Close an open failure for good and drop its update; False when it is not open."""
    with db.atomic():
        failure = Failure.get_or_none(Failure.id == failure_id)
        if failure is None or not _close(failure_id, "dismissed"):
            return False
        Failure.update(payload=None).where(Failure.id == failure_id).execute()
        Inbox.update(payload=None).where(
            Inbox.bot_id == failure.bot_id,
            Inbox.update_id == failure.update_id,
            Inbox.state == "failed",
        ).execute()
    return True


def _queue(failure: Failure) -> bool:
    """Write the inbox row anew; a row that is still open stays as it is."""
    update = json.loads(failure.payload or "{}")
    lane = failure.chat_id or failure.user_id or 0
    kind = next((key for key in update if key != "update_id"), "")
    sql = (
        "INSERT INTO inbox (bot_id, update_id, lane, kind, state, payload, attempts, received_at)"
        " VALUES (?, ?, ?, ?, 'queued', ?, 0, ?) ON CONFLICT (bot_id, update_id) DO UPDATE SET"
        " state = 'queued', payload = EXCLUDED.payload, attempts = 0, done_at = NULL,"
        " received_at = EXCLUDED.received_at"
        " WHERE inbox.done_at IS NOT NULL RETURNING update_id"
    ).replace("?", db.param)
    values = (failure.bot_id, failure.update_id, lane, kind, failure.payload, now())
    return db.execute_sql(sql, values).fetchone() is not None


def _close(failure_id: int, state: str) -> bool:
    return bool(
        Failure.update(state=state, updated_at=now())
        .where(Failure.id == failure_id, Failure.state == "open")
        .execute()
    )


def _noticed_at(fingerprint: str) -> datetime | None:
    newest = Failure.noticed_at.desc(nulls="LAST")
    row = Failure.select().where(Failure.fingerprint == fingerprint).order_by(newest).first()
    return row.noticed_at if row else None


def _text(value: Any) -> str:
    """A text that every database can hold: no NUL, no half of a surrogate pair."""
    return str(value).replace("\0", "").encode("utf-8", "replace").decode()
