"""Taking back: what the audit log tells of is undone, when it is still as it was left."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from choices import Language, Role, StaffRole, Status
from database import current, db
from models import Ban, PluginSetting, PluginSwitch, User
from services import admins, audit, care, plugins, switching, users
from services.audit import MASK, Actor
from services.plugins import EVERYWHERE, Preferences, Switches
from staff import Admin, AuditEntry

State: TypeAlias = dict[str, Any]
Default: TypeAlias = Callable[[str, str], Any]
"""A plugin's name and a setting's key; gives what the plugin declares, or None."""


class Refused(ValueError):
    """An entry cannot be taken back; one sentence that says why."""


@dataclass(frozen=True, slots=True)
class Undo:
    """How the deeds of one kind are taken back.

    `role` is what the deed itself needs. `hold` keeps others from changing a target until the
    transaction is over, by the lock under which the deed is done; it is told what the target is to
    become. `read` gives how the target is, by the names that entries use; `write` makes it so, and
    may record that itself. Each raises Refused. `action` names the deed that taking back is.
    """

    role: StaffRole
    hold: Callable[[str, StaffRole, State], object]
    read: Callable[[str, Default], State]
    write: Callable[[Actor, str, State, int], AuditEntry | None]
    action: str = ""


def revert(
    actor: Actor, role: StaffRole, entry_id: int, *, default: Default = lambda plugin, key: None
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
        undo, before = REGISTRY[entry.action], entry.before or {}
        if not role.may(undo.role):
            raise Refused(f"Taking this back needs the role {undo.role}; yours is {role}.")
        undo.hold(entry.target, role, before)
        if other := reverted([entry]).get(entry.id):
            raise Refused(f"The entry {other} has taken this back already.")
        present = undo.read(entry.target, default)
        _check(entry, present)
        written = undo.write(actor, entry.target, {**present, **before}, entry.id)
        if written is not None:
            return written
        left, names = undo.read(entry.target, default), before.keys() | (entry.after or {}).keys()
        was, now = ({name: state.get(name) for name in names} for state in (present, left))
        action = undo.action or entry.action
        return audit.record(actor, action, entry.target, was, now, reverts=entry.id)


def hindrance(entry: AuditEntry) -> str:
    """Why an entry can never be taken back; empty when it can, as far as it says itself."""
    if entry.action not in REGISTRY:
        return "Entries of this kind cannot be taken back."
    if not entry.before or not entry.after:
        return "The entry does not say what was before."
    values = [*entry.before.values(), *entry.after.values()]
    if MASK in values or "secret" in entry.before.keys() | entry.after.keys():
        return "The log holds no secrets, so what was before is not known: set it anew."
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
    for name, left in (entry.after or {}).items():
        if left is None:
            left = present.get("default")  # noqa: PLW2901  a setting that has no value of its own
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
    return "nothing" if value is None or value == "" else repr(value)[:80]


# People.


def _number(target: str) -> int:
    """The row of a person or account; 0, which none has, where the entry names none."""
    number = target.partition(":")[2]
    return int(number) if number.isdecimal() and len(number) < 10 else 0


def _hold_user(target: str, power: StaffRole, wanted: State) -> None:
    """As for the deed itself: people with a role in the bot are not for everybody."""
    try:
        care.hold(_number(target), power)
        if "role" in wanted:
            care.check_gift(_choice(Role, wanted["role"]), power)
    except care.Refused as error:
        raise Refused(str(error)) from None


def _user(target: str) -> User:
    user: User = User.get_by_id(_number(target))
    return user


def _read_user(target: str, _default: Default) -> State:
    user = _user(target)
    ban = Ban.get_or_none(Ban.user == user.id)
    return {
        "status": user.status.value,
        "role": user.role.value,
        "language": user.language.value,
        "reason": ban.reason if ban else None,
        "until": ban.until if ban else None,
    }


def _set_standing(_actor: Actor, target: str, state: State, _entry: int) -> None:
    """Ban a person as they were, or end the ban."""
    user, status = _user(target), _choice(Status, state["status"])
    if status == Status.BANNED:
        until = _time(state.get("until"))
        return users.ban(user, by=None, until=until, reason=state.get("reason") or "")
    users.unban(user)
    if user.status != status:
        users.set_status(user, status)
    return None


def _set_role(_actor: Actor, target: str, state: State, _entry: int) -> None:
    users.set_role(_user(target), _choice(Role, state["role"]))


def _set_language(_actor: Actor, target: str, state: State, _entry: int) -> None:
    users.set_language(_user(target), _choice(Language, state["language"]))


def _choice(words: Any, value: Any) -> Any:
    """A word that this release knows."""
    try:
        return words(value)
    except ValueError:
        raise Refused(f"{_said(value)} is not known to this release.") from None


# Plugins.


def _hold_plugins(_target: str, _power: StaffRole, _wanted: State) -> None:
    current().serialise(switching.CHANGING)


def _switch(target: str) -> tuple[str, int]:
    plugin, _, chat = target.removeprefix("plugin:").partition("@")
    try:
        return plugin, int(chat or EVERYWHERE)
    except ValueError:
        raise Refused("The entry does not say which switch it was.") from None


def _read_switch(target: str, _default: Default) -> State:
    plugin, chat_id = _switch(target)
    row = PluginSwitch.get_or_none(PluginSwitch.plugin == plugin, PluginSwitch.chat_id == chat_id)
    return {"enabled": row is None or row.enabled}


def _set_switch(_actor: Actor, target: str, state: State, _entry: int) -> None:
    plugin, chat_id = _switch(target)
    Switches().set(plugin, bool(state["enabled"]), chat_id)
    if state["enabled"] and chat_id == EVERYWHERE:  # as when it is switched on by hand
        plugins.resume([plugin])


def _setting(target: str) -> tuple[str, str]:
    plugin, _, key = target.removeprefix("plugin:").partition(".")
    return plugin, key


def _read_setting(target: str, default: Default) -> State:
    """The value in force; None stands for what the plugin declares."""
    plugin, key = _setting(target)
    row = PluginSetting.get_or_none(PluginSetting.plugin == plugin, PluginSetting.key == key)
    declared = default(plugin, key)
    value = row.value if row else declared
    return {"value": value, "default": declared}


def _set_setting(_actor: Actor, target: str, state: State, _entry: int) -> None:
    plugin, key = _setting(target)
    if state["value"] in (None, state["default"]):
        return Preferences().reset(plugin, key)
    return Preferences().set(plugin, key, state["value"])


# The team.


def _hold_admins(target: str, _power: StaffRole, _wanted: State) -> None:
    current().serialise(admins.CHANGING)
    _admin(target)


def _admin(target: str) -> Admin:
    admin: Admin | None = Admin.get_or_none(Admin.id == _number(target))
    if admin is None:
        raise Refused("This account is not there any more.")
    return admin


def _read_admin(target: str, _default: Default) -> State:
    return {"role": _admin(target).role.value}


def _set_admin_role(actor: Actor, target: str, state: State, entry: int) -> AuditEntry:
    """Raises Refused for the last owner."""
    role = _choice(StaffRole, state["role"])
    try:
        return admins.set_role(actor, _admin(target), role, reverts=entry)
    except admins.Refused as error:
        raise Refused(str(error)) from None


def _of_user(role: StaffRole, write: Callable[..., None], action: str = "") -> Undo:
    return Undo(role, _hold_user, _read_user, write, action)


REGISTRY: Mapping[str, Undo] = {
    "user.ban": _of_user(StaffRole.OPERATOR, _set_standing, "user.unban"),
    "user.unban": _of_user(StaffRole.OPERATOR, _set_standing, "user.ban"),
    "user.status": _of_user(StaffRole.OPERATOR, _set_standing),
    "user.role": _of_user(StaffRole.ADMIN, _set_role),
    "user.language": _of_user(StaffRole.OPERATOR, _set_language),
    "plugin.switch": Undo(StaffRole.ADMIN, _hold_plugins, _read_switch, _set_switch),
    "plugin.setting": Undo(StaffRole.ADMIN, _hold_plugins, _read_setting, _set_setting),
    "admin.role": Undo(StaffRole.OWNER, _hold_admins, _read_admin, _set_admin_role),
}
"""What can be taken back."""
