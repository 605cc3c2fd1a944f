"""The audit log: who did what in the panel, in rows that are only ever added."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from peewee import fn

from database import current, db, now
from staff import AuditEntry

WRITING = 0xAD17
"""Key of the lock under which one entry at a time is written."""
FIRST = "0" * 64
BATCH = 2000
"""Entries that are in memory at once when the log is verified."""
MASK = "•••"
FOLLOWED = timedelta(minutes=1)
SIZES = {"actor": 64, "address": 64, "action": 64, "target": 128}


class Part(NamedTuple):
    """A part of the log that was verified: up to which entry, how many, and the first broken."""

    last: int
    seen: int
    broken: int | None
    over: bool = False
    """Whether nothing is left to verify."""


class Actor(NamedTuple):
    """Who acts, and from where; the command line has no account."""

    admin_id: int | None
    name: str
    address: str = ""


TERMINAL = Actor(None, "command line")


def record(
    actor: Actor,
    action: str,
    target: str,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    *,
    reverts: int | None = None,
) -> AuditEntry:
    """Write an entry, in the transaction of what it tells of.

    `action` is a word such as "user.ban", `target` what it was done to, as "user:12" - people by
    their row's id, so that nothing of an erased person stays. Of `before` and `after`, equal
    fields are left out; mask secrets with `MASK`.
    """
    before, after = _changes(before, after)
    with db.atomic():
        current().serialise(WRITING)
        last = AuditEntry.select(AuditEntry.digest).order_by(AuditEntry.id.desc()).first()
        entry = AuditEntry(
            at=now(),
            admin_id=actor.admin_id,
            actor=actor.name[: SIZES["actor"]],
            address=actor.address[: SIZES["address"]],
            action=action[: SIZES["action"]],
            target=target[: SIZES["target"]],
            before=_plain(before),
            after=_plain(after),
            reverts=reverts,
            previous=last.digest if last else FIRST,
        )
        entry.digest = digest(entry)
        entry.save(force_insert=True)
    return entry


def verify() -> int | None:
    """The id of the first entry that was changed, or that follows a missing one; None: all is well.

    Entries taken from the end leave no gap: compare the last id with a backup's.
    """
    part = Part(0, 0, None)
    while not part.over:
        part = verify_part(part.last)
    return part.broken


def verify_part(after: int, *, limit: int = BATCH) -> Part:
    """Verify the entries that follow the one with the id `after`, or (0) the first ones."""
    before = AuditEntry.get_or_none(AuditEntry.id == after) if after else None
    previous = before.digest if before else FIRST
    rows = AuditEntry.select().where(AuditEntry.id > after).order_by(AuditEntry.id).limit(limit)
    count, last = 0, after
    for entry in rows:
        if entry.previous != previous or entry.digest != digest(entry):
            return Part(last, count, int(entry.id), over=True)
        previous, last, count = entry.digest, int(entry.id), count + 1
    return Part(last, count, None, over=count < limit)


def person(user_id: int) -> str:
    """What the log calls a person: by the row, so that nothing of an erased one stays."""
    return f"user:{user_id}"


def changed_people(number: int | None) -> tuple[int, list[int]]:
    """The newest entry, and the ids of the people's rows that those after a number are about.

    Without a number: those of the last minute. Entries become visible in the order of their ids.
    """
    newer = AuditEntry.at >= now() - FOLLOWED if number is None else AuditEntry.id > number
    last = AuditEntry.select(fn.MAX(AuditEntry.id)).scalar() or 0
    if last == number:
        return last, []
    upto = AuditEntry.id <= last
    rows = AuditEntry.select(AuditEntry.target).where(newer, upto)
    targets = (row.target.partition(":") for row in rows)
    people = {int(key) for kind, _, key in targets if kind == "user" and key.isdecimal()}
    return last, sorted(people)


def digest(entry: AuditEntry) -> str:
    """SHA-256 over all that an entry says, and over the entry before it."""
    said = {name: entry.__data__.get(name) for name in AuditEntry._meta.sorted_field_names}
    del said["id"], said["digest"]
    text = json.dumps(said, sort_keys=True, default=_as_text)
    return hashlib.sha256(text.encode()).hexdigest()


def _changes(
    before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]:
    if before is None or after is None:
        return before, after
    same = {key for key in before.keys() & after.keys() if before[key] == after[key]}
    return (
        {key: value for key, value in before.items() if key not in same},
        {key: value for key, value in after.items() if key not in same},
    )


def _plain(values: Mapping[str, Any] | None) -> Any:
    """Values as JSON gives them back, so that the digest is the same after reading."""
    return None if values is None else json.loads(json.dumps(values, default=_as_text))


def _as_text(value: Any) -> str:
    return value.isoformat(" ") if isinstance(value, datetime) else str(value)
