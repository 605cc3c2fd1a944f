"""What the team does to people: each deed with its audit entry, in one transaction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from database import current, db
from models import Language, Role, Status, User
from services import audit, privacy, users
from services.audit import Actor


@contextmanager
def turn() -> Iterator[None]:
    """A transaction in which what was read before a change is still so when it is written."""
    with db.atomic():
        current().serialise(audit.WRITING)
        yield


def change_user(
    actor: Actor,
    user_id: int,
    *,
    role: Role | None = None,
    status: Status | None = None,
    language: Language | None = None,
    reason: str = "",
) -> User | None:
    """Change a person by the id of the row: ban or unban them, give them a role, a language.

    None when there is nobody with the id.
    """
    with turn():
        user: User | None = User.get_or_none(User.id == user_id)
        if user is None:
            return None
        if status is not None and status != user.status:
            _set_status(actor, user, status, reason)
        if role is not None and role != user.role:
            had = user.role
            users.set_role(user, role)
            audit.record(actor, "user.role", target(user), {"role": had}, {"role": role})
        if language is not None and language != user.language:
            spoke = {"language": user.language}
            users.set_language(user, language)
            audit.record(actor, "user.language", target(user), spoke, {"language": language})
    return user


def target(user: User) -> str:
    """What the audit log calls a person: by the row, so that nothing of an erased one stays."""
    return f"user:{user.id}"


def _set_status(actor: Actor, user: User, status: Status, reason: str) -> None:
    before, after = {"status": user.status.value}, {"status": status.value}
    if status == Status.BANNED:
        users.ban(user, by=None, reason=reason)
        audit.record(actor, "user.ban", target(user), before, {**after, "reason": reason})
        return
    if not users.unban(user):
        users.set_status(user, status)
    audit.record(actor, "user.unban", target(user), before, after)


def export_user(actor: Actor, user: User, hooks: privacy.Hooks) -> dict[str, Any]:
    """All that is held on a person; that it was given out is in the audit log."""
    with db.atomic():
        held = privacy.export(user.telegram_id, hooks)
        audit.record(actor, "user.export", target(user))
    return held


def erase_user(actor: Actor, user: User, hooks: privacy.Hooks) -> privacy.Receipt:
    """Erase a person; the audit log keeps a number that is nobody's then.

    Raises privacy.Erasing.
    """
    with db.atomic():
        receipt = privacy.erase(user.telegram_id, hooks)
        audit.record(actor, "user.erase", target(user), after={"rows": receipt.rows})
    return receipt
