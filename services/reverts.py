"""Taking back: what the audit log tells of is undone, when it is still as it was left.

Each kind is taken back by the function that does such deeds, so that its rules hold here too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple, TypeAlias

from choices import Language, Role, StaffRole, Status
from database import current, db
from models import Ban, User
from services import admins, care, switching
from services.audit import MASK, Actor
from services.plugins import EVERYWHERE, Preferences, Switches
from services.switching import Declared, Undeclared
from staff import Admin, AuditEntry

RESTORED = "restored"
"""The reason of a ban that is put back: the log does not hold what it was."""
SECRET = "The log holds no secrets, so what was before is not known: set it anew."  # noqa: S105

State: TypeAlias = dict[str, Any]
Declare: TypeAlias = Callable[[str, str], Declared | None]
"""A plugin's name and a setting's key; gives what the plugin declares, or None."""


class Refused(ValueError):
    """An entry cannot be taken back; one sentence that says why."""


class Taking(NamedTuple):
    """Who takes which entry back, with which role in the panel."""

    actor: Actor
    power: StaffRole
    entry: AuditEntry
    declare: Declare

    @property
    def target(self) -> str:
        """What the entry is about."""
        return self.entry.target


class Undo(NamedTuple):
    """How the deeds of one kind are taken back.

    `role` is what the deed itself needs. `hold` keeps others from changing the target until the
    transaction is over, by the lock under which the deed is done. `read` gives how the target is,
    by the names that entries use; `write` makes it so, and records that. Each raises Refused.
    """

    role: StaffRole
    hold: Callable[[Taking], object]
    read: Callable[[Taking], State]
    write: Callable[[Taking, State], object]


def revert(
    actor: Actor, role: StaffRole, entry_id: int, *, declare: Declare = lambda plugin, key: None
) -> AuditEntry:
    """Take an entry back, as somebody who has `role`; give the entry that tells of it.

    Raises Refused when that is not possible, or not any more.
    """
    with db.atomic():
        entry = AuditEntry.get_or_none(AuditEntry.id == entry_id)
        if entry is None:
            raise Refused("There is no such entry.")
        if said := hindrance(entry):
            raise Refused(said)
        undo = REGISTRY[entry.action]
        if not role.may(undo.role):
            raise Refused(f"Taking this back needs the role {undo.role}; yours is {role}.")
        try:
            return _take_back(undo, Taking(actor, role, entry, declare))
        except (admins.Refused, care.Refused) as error:
            raise Refused(str(error)) from None


def _take_back(undo: Undo, taking: Taking) -> AuditEntry:
    entry = taking.entry
    undo.hold(taking)
    if other := reverted([entry]).get(entry.id):
        raise Refused(f"The entry {other} has taken this back already.")
    present = undo.read(taking)
    _check(entry, present)
    undo.write(taking, {**present, **(entry.before or {})})
    mine = AuditEntry.target == entry.target, AuditEntry.reverts == entry.id
    written: AuditEntry | None = AuditEntry.get_or_none(*mine)
    if written is None:
        raise Refused("There is nothing to take back any more.")
    return written


def hindrance(entry: AuditEntry) -> str:
    """Why an entry can never be taken back; empty when it can, as far as it says itself."""
    if entry.action not in REGISTRY:
        return "Entries of this kind cannot be taken back."
    if not entry.before or not entry.after:
        return "The entry does not say what was before."
    values = [*entry.before.values(), *entry.after.values()]
    if MASK in values or "secret" in entry.before.keys() | entry.after.keys():
        return SECRET
    return ""


def reverted(entries: list[AuditEntry]) -> dict[int, int]:
    """Which of some entries were taken back: their ids, and those of the entries that did it."""
    targets = sorted({entry.target for entry in entries})
    if not targets:
        return {}
    found = AuditEntry.select(AuditEntry.id, AuditEntry.reverts).where(
        AuditEntry.target.in_(targets), AuditEntry.reverts.is_null(False)
    )
    return {row.reverts: row.id for row in found if row.reverts is not None}


def _check(entry: AuditEntry, present: State) -> None:
    """Refuse when somebody changed it since."""
    if (since := present.get("since")) and since > entry.at:
        raise Refused("It was changed since: there is another ban now. End that one by hand.")
    for name, left in (entry.after or {}).items():
        if left is None:
            left = present.get("default")  # noqa: PLW2901  a setting that has no value of its own
        if left == care.ANOTHER:
            left = care.GIVEN  # noqa: PLW2901
        if not _same(present.get(name), left):
            raise Refused(
                f"It was changed since: {name} is {_said(present.get(name))} now, and this entry"
                f" left {_said(left)}. Look for a newer entry, or change it by hand."
            )


def _same(one: Any, other: Any) -> bool:
    return one == other or (one is not None and _time(one) == _time(other) is not None)


def _time(value: Any) -> datetime | None:
    """A time as the log has it, which is text."""
    if isinstance(value, datetime):
        return value
    try:
        return datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        value = str(value)  # the word, where it is one of an enumeration
    return "nothing" if value is None or value == "" else repr(value)[:80]


# People.


def _number(target: str) -> int:
    """The row of a person or account; 0, which none has, where the entry names none."""
    number = target.partition(":")[2]
    return int(number) if number.isdecimal() and len(number) < 10 else 0


def _hold_user(taking: Taking) -> User:
    return care.hold(_number(taking.target), taking.power)


def _read_user(taking: Taking) -> State:
    user = _hold_user(taking)
    return {name: getattr(user, name).value for name in ("status", "role", "language")}


def _read_standing(taking: Taking) -> State:
    """Status and ban, and since when it is there."""
    user = _hold_user(taking)
    row = Ban.get_or_none(Ban.user == user.id)
    return {**care.standing(user, row), "since": row.updated_at if row else None}


def _set_standing(taking: Taking, state: State) -> None:
    """Ban a person as they were, or end the ban."""
    people, status = [_number(taking.target)], _choice(Status, state["status"])
    who, entry = (taking.actor, people, taking.power), taking.entry.id
    if status == Status.BANNED:
        until = _time(state.get("until"))
        care.ban(*who, reason=RESTORED, until=until, reverts=entry)
    else:
        care.unban(*who, status=status, reverts=entry)


def _set_field(deed: Callable[..., object], name: str, words: Any) -> Callable[..., None]:
    """Gives one thing of a person back by the deed that changes it."""

    def write(taking: Taking, state: State) -> None:
        value, user_id = _choice(words, state[name]), _number(taking.target)
        deed(taking.actor, user_id, value, taking.power, reverts=taking.entry.id)

    return write


def _choice(words: Any, value: Any) -> Any:
    """A word that this release knows."""
    try:
        return words(value)
    except ValueError:
        raise Refused(f"{_said(value)} is not known to this release.") from None


# Plugins.


def _hold_plugins(_taking: Taking) -> None:
    current().serialise(switching.CHANGING)


def _switch(target: str) -> tuple[str, int]:
    plugin, _, chat = target.removeprefix("plugin:").partition("@")
    try:
        return plugin, int(chat or EVERYWHERE)
    except ValueError:
        raise Refused("The entry does not say which switch it was.") from None


def _read_switch(taking: Taking) -> State:
    return {"enabled": Switches.stored(*_switch(taking.target))}


def _set_switch(taking: Taking, state: State) -> None:
    plugin, chat_id = _switch(taking.target)
    on = bool(state["enabled"])
    switching.switch(taking.actor, Switches(), plugin, on, chat_id, reverts=taking.entry.id)


def _setting(taking: Taking) -> Declared:
    plugin, _, key = taking.target.removeprefix("plugin:").partition(".")
    return taking.declare(plugin, key) or Undeclared(plugin, key)


def _read_setting(taking: Taking) -> State:
    """The value in force; None stands for what the plugin declares."""
    setting = _setting(taking)
    if setting.secret:  # it was none when the entry was written
        raise Refused(SECRET)
    return {"value": switching.stored(setting), "default": setting.default}


def _set_setting(taking: Taking, state: State) -> None:
    setting, value = _setting(taking), state["value"]
    who, entry = (taking.actor, Preferences(), setting), taking.entry.id
    if value in (None, setting.default):
        switching.reset(*who, reverts=entry)
    else:
        switching.put(*who, value, reverts=entry)


# The team.


def _hold_admins(taking: Taking) -> None:
    current().serialise(admins.CHANGING)
    _admin(taking.target)


def _admin(target: str) -> Admin:
    admin = admins.get(_number(target))
    if admin is None:
        raise Refused("This account is not there any more.")
    return admin


def _read_admin(taking: Taking) -> State:
    return {"role": _admin(taking.target).role.value}


def _set_admin_role(taking: Taking, state: State) -> None:
    """Raises admins.Refused for the last owner."""
    admin, role = _admin(taking.target), _choice(StaffRole, state["role"])
    admins.set_role(taking.actor, admin, role, reverts=taking.entry.id)


OPERATOR, ADMIN = StaffRole.OPERATOR, StaffRole.ADMIN

REGISTRY: Mapping[str, Undo] = {
    "user.ban": Undo(OPERATOR, _hold_user, _read_standing, _set_standing),
    "user.unban": Undo(OPERATOR, _hold_user, _read_standing, _set_standing),
    "user.status": Undo(
        OPERATOR, _hold_user, _read_user, _set_field(care.set_status, "status", Status)
    ),
    "user.role": Undo(ADMIN, _hold_user, _read_user, _set_field(care.set_role, "role", Role)),
    "user.language": Undo(
        OPERATOR, _hold_user, _read_user, _set_field(care.set_language, "language", Language)
    ),
    "plugin.switch": Undo(ADMIN, _hold_plugins, _read_switch, _set_switch),
    "plugin.setting": Undo(ADMIN, _hold_plugins, _read_setting, _set_setting),
    "admin.role": Undo(StaffRole.OWNER, _hold_admins, _read_admin, _set_admin_role),
}
"""What can be taken back."""
