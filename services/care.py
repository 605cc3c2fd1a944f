"""Care: what the team does to a person, each with its entry in the audit log.

Rows are locked before the log is, in the order of their ids. Whoever acts has a role in the
panel, `power`; people who have a role in the bot are for those who may give it. `reverts` is the
entry that a deed takes back. The log never holds what somebody wrote of a person: it would stay
when the person is erased.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from database import current, db
from models import Ban, Conversation, Language, Role, Status, User
from services import audit, privacy, users
from services.audit import Actor
from services.traces import words_of
from staff import Admin, StaffNote, StaffRole

MOST = 100
"""People who can be banned at once."""
LONGEST_NOTE = 2000
NEEDED = {
    Role.USER: StaffRole.OPERATOR,
    Role.MODERATOR: StaffRole.OPERATOR,
    Role.ADMIN: StaffRole.ADMIN,
    Role.OWNER: StaffRole.OWNER,
}
"""Who may act on whom."""


GIVEN, ANOTHER = "given", "given anew"
"""What the log says of the reason of a ban: that there is one, or another one than before."""


class Refused(ValueError):
    """Something may not be done, or cannot; one sentence that says why."""


class Gone(Refused):
    """There is no such person any more."""


class Forbidden(Refused):
    """Whoever acts needs a higher role for this."""


def ban(
    actor: Actor,
    user_ids: Sequence[int],
    power: StaffRole,
    *,
    reason: str = "",
    until: datetime | None = None,
    reverts: int | None = None,
) -> int:
    """Ban people until a time, or for good; give how many there were. Raises Refused."""
    reason = reason.strip().replace("\0", "")[: users.REASON_SIZE]
    with db.atomic():
        people = _people(user_ids, power)
        by = _as_user(actor)
        for user in people:
            old = Ban.get_or_none(Ban.user == user.id)
            before = standing(user, old)
            users.ban(user, by=by, until=until, reason=reason)
            after = standing(user)
            if old and reason and old.reason not in ("", reason):
                after["reason"] = ANOTHER
            audit.record(actor, "user.ban", audit.person(user.id), before, after, reverts=reverts)
    return len(people)


def unban(
    actor: Actor,
    user_ids: Sequence[int],
    power: StaffRole,
    *,
    status: Status = Status.ACTIVE,
    reverts: int | None = None,
) -> int:
    """End the bans of people, who are `status` then; give how many had one. Raises Refused."""
    count = 0
    with db.atomic():
        for user in _people(user_ids, power):
            before = standing(user)
            if users.unban(user, status):
                after = standing(user)
                audit.record(
                    actor, "user.unban", audit.person(user.id), before, after, reverts=reverts
                )
                count += 1
    return count


def change(
    actor: Actor,
    user_id: int,
    power: StaffRole,
    *,
    role: Role | None = None,
    status: Status | None = None,
    language: Language | None = None,
    reason: str = "",
) -> User:
    """Change several things of a person, all or none; `reason` is that of a ban. Raises Refused."""
    with db.atomic():
        user = hold(user_id, power)
        if status == Status.BANNED:
            if reason or user.status != status:
                ban(actor, [user_id], power, reason=reason)
        elif status is not None and not unban(actor, [user_id], power, status=status):
            set_status(actor, user_id, status, power)
        if language is not None:
            set_language(actor, user_id, language, power)
        if role is not None:
            set_role(actor, user_id, role, power)
        return hold(user_id, StaffRole.OWNER)


def set_role(
    actor: Actor, user_id: int, role: Role, power: StaffRole, *, reverts: int | None = None
) -> User:
    """Give a person another role: for admins; to make, or unmake, an owner: for owners."""
    with db.atomic():
        user = hold(user_id, power)
        check_gift(role, power)
        before = {"role": user.role}
        users.set_role(user, role)
        _record(actor, "user.role", user, before, {"role": role}, reverts)
    return user


def set_status(
    actor: Actor, user_id: int, status: Status, power: StaffRole, *, reverts: int | None = None
) -> User:
    """Correct a person's status; bans have a way of their own. Raises Refused."""
    with db.atomic():
        user = hold(user_id, power)
        if Status.BANNED in (status, user.status) and status != user.status:
            raise Refused("A ban has a reason and an end: use ban and unban.")
        before = {"status": user.status}
        users.set_status(user, status)
        _record(actor, "user.status", user, before, {"status": status}, reverts)
    return user


def set_language(
    actor: Actor,
    user_id: int,
    language: Language,
    power: StaffRole,
    *,
    reverts: int | None = None,
) -> User:
    """Have the bot speak another language with a person. Raises Refused."""
    with db.atomic():
        user = hold(user_id, power)
        before = {"language": user.language}
        users.set_language(user, language)
        _record(actor, "user.language", user, before, {"language": language}, reverts)
    return user


def end_conversation(actor: Actor, user_id: int, bot_id: int, chat_id: int) -> bool:
    """Let a bot forget what it asked a person in a chat; False when it asks nothing there."""
    with db.atomic():
        user = hold(user_id, StaffRole.OWNER)
        here = (Conversation.bot_id == bot_id) & (Conversation.chat_id == chat_id)
        mine = here & (Conversation.user_id == user.telegram_id)
        row = Conversation.get_or_none(mine)
        if row is None:
            return False
        Conversation.delete().where(mine).execute()
        before = {"bot": bot_id, "step": row.step}
        audit.record(actor, "user.conversation", audit.person(user.id), before, {"step": None})
    return True


def note(actor: Actor, user_id: int, text: str) -> StaffNote:
    """Note something on a person, for the team alone. Raises Refused."""
    text = text.strip().replace("\0", "")
    if not 1 <= len(text) <= LONGEST_NOTE:
        raise Refused(f"A note is 1 to {LONGEST_NOTE} letters.")
    with db.atomic():
        user = hold(user_id, StaffRole.OWNER)
        row: StaffNote = StaffNote.create(user=user, admin=actor.admin_id, text=text)
        audit.record(actor, "user.note", audit.person(user.id), after={"note": row.id})
    return row


def drop_note(actor: Actor, note_id: int) -> bool:
    """Delete a note of one's own; False when there is no such note."""
    with db.atomic():
        row = StaffNote.get_or_none(StaffNote.id == note_id)
        if row is None or row.admin_id is None or row.admin_id != actor.admin_id:
            return False
        StaffNote.delete().where(StaffNote.id == row.id).execute()
        audit.record(actor, "user.note", audit.person(row.user_id), {"note": row.id})
    return True


def export(actor: Actor, user_id: int, hooks: privacy.Hooks) -> dict[str, Any]:
    """All that is held on a person. Raises Refused when there is nobody."""
    with db.atomic():
        return give_out(actor, hold(user_id, StaffRole.OWNER).telegram_id, hooks)


def give_out(actor: Actor, telegram_id: int, hooks: privacy.Hooks) -> dict[str, Any]:
    """All that is held on whoever has a Telegram id, known or not."""
    with db.atomic():
        held = privacy.export(telegram_id, hooks)
        audit.record(actor, "user.export", audit.person(privacy.look_up(telegram_id)[0].id))
    return held


def erase(
    actor: Actor, user_id: int, power: StaffRole, hooks: privacy.Hooks
) -> tuple[privacy.Receipt, list[str]]:
    """Erase a person everywhere, as `forget` does. Raises Refused."""
    with db.atomic():
        user = hold(user_id, power)
        try:
            return forget(actor, user.telegram_id, hooks)
        except privacy.Erasing as error:
            raise Refused(str(error)) from error


def forget(
    actor: Actor, telegram_id: int, hooks: privacy.Hooks
) -> tuple[privacy.Receipt, list[str]]:
    """Erase whoever has a Telegram id: the receipt, and the words to be dropped from the cache.

    The entry names them by a number that is nobody's then. Raises privacy.Erasing.
    """
    with db.atomic():
        user, person = privacy.look_up(telegram_id)
        receipt = privacy.erase(telegram_id, hooks)
        after = {"rows": receipt.rows, "failed": sorted(receipt.failed)}
        audit.record(actor, "user.erase", audit.person(user.id), after=after)
    return receipt, words_of(person)


def check_gift(role: Role, power: StaffRole) -> None:
    """Raise Refused when somebody may not give people a role."""
    if not (power.may(StaffRole.ADMIN) and power.may(NEEDED[role])):
        raise Forbidden(f"To give the role {role} you need a higher role than {power}.")


def hold(user_id: int, power: StaffRole) -> User:
    """A person, whom nobody else changes before this transaction is over. Raises Refused."""
    people = _people([user_id], power)
    if not people:
        raise Gone("There is no such person any more.")
    return people[0]


def _people(user_ids: Sequence[int], power: StaffRole) -> list[User]:
    """These people, so that nobody else changes them before this transaction is over."""
    if len(user_ids) > MOST:
        raise Refused(f"Choose at most {MOST} people at once.")
    query = User.select().where(User.id.in_(list(user_ids))).order_by(User.id)
    found = list(query if current().local else query.for_update())
    for user in found:
        if not power.may(NEEDED[user.role]):
            raise Forbidden(
                f"User {user.id} has the role {user.role} in the bot: this needs the role"
                f" {NEEDED[user.role]}."
            )
    return found


def _as_user(actor: Actor) -> User | None:
    """Who acts, as a user of the bot, when their account names one."""
    admin = Admin.get_or_none(Admin.id == actor.admin_id) if actor.admin_id else None
    return users.find(admin.telegram_id) if admin and admin.telegram_id else None


def standing(user: User, row: Ban | None = None) -> dict[str, Any]:
    """A person's status and ban, as the log has it: without the words of the reason."""
    if user.status != Status.BANNED:
        return {"status": user.status, "reason": None, "until": None}
    row = row or Ban.get_or_none(Ban.user == user.id)
    reason = GIVEN if row and row.reason else None
    return {"status": user.status, "reason": reason, "until": row.until if row else None}


def _record(
    actor: Actor,
    action: str,
    user: User,
    before: dict[str, Any],
    after: dict[str, Any],
    reverts: int | None,
) -> None:
    """Note a change; one that changed nothing is none."""
    if before != after:
        audit.record(actor, action, audit.person(user.id), before, after, reverts=reverts)
