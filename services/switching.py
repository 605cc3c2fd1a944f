"""Switches, settings and suspensions changed by the team: each change with its audit entry.

`reverts` is the entry that a change takes back.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from database import current, db
from models import PluginSetting
from services import audit, plugins
from services.audit import MASK, Actor
from services.plugins import EVERYWHERE, Preferences, Switches

CHANGING = 0x5317
"""Key of the lock under which the team changes one switch or setting at a time."""


class Declared(Protocol):
    """A setting as its plugin declares it."""

    @property
    def plugin(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def default(self) -> Any: ...
    @property
    def secret(self) -> bool: ...


class Undeclared(NamedTuple):
    """A setting of which the plugin is gone, or knows nothing any more."""

    plugin: str
    key: str
    default: Any = None
    secret: bool = False


def switch(
    actor: Actor,
    switches: Switches,
    plugin: str,
    enabled: bool,
    chat_id: int = EVERYWHERE,
    *,
    reverts: int | None = None,
) -> None:
    """Switch a plugin on or off, in one chat or everywhere; on everywhere ends a suspension."""
    with db.atomic():
        current().serialise(CHANGING)
        before = {"enabled": switches.stored(plugin, chat_id)}
        switches.set(plugin, enabled, chat_id)
        if enabled and chat_id == EVERYWHERE:
            plugins.resume([plugin])
        target, after = switch_target(plugin, chat_id), {"enabled": enabled}
        audit.record(actor, "plugin.switch", target, before, after, reverts=reverts)


def put(
    actor: Actor,
    preferences: Preferences,
    setting: Declared,
    value: Any,
    *,
    reverts: int | None = None,
) -> None:
    """Give a setting a value that fits it."""
    with db.atomic():
        current().serialise(CHANGING)
        before = stored(setting)
        preferences.set(setting.plugin, setting.key, value)
        _record(actor, setting, before, value, reverts)


def reset(
    actor: Actor, preferences: Preferences, setting: Declared, *, reverts: int | None = None
) -> None:
    """Give a setting its default back."""
    with db.atomic():
        current().serialise(CHANGING)
        before = stored(setting)
        preferences.reset(setting.plugin, setting.key)
        _record(actor, setting, before, setting.default, reverts)


def stored(setting: Declared) -> Any:
    """What the table says of a setting, or else what its plugin declares."""
    mine = PluginSetting.plugin == setting.plugin, PluginSetting.key == setting.key
    row = PluginSetting.get_or_none(*mine)
    return row.value if row else setting.default


def retry(actor: Actor, plugin: str) -> bool:
    """End a suspension, so that the plugin is tried at once; whether there was one."""
    with db.atomic():
        rest = plugins.suspensions().get(plugin)
        if rest is None:
            return False
        plugins.resume([plugin])
        before = {"until": rest.until, "times": rest.times}
        audit.record(actor, "plugin.resume", f"plugin:{plugin}", before)
    return True


def switch_target(plugin: str, chat_id: int = EVERYWHERE) -> str:
    """What a switch is called in the audit log."""
    return f"plugin:{plugin}" if chat_id == EVERYWHERE else f"plugin:{plugin}@{chat_id}"


def _record(actor: Actor, setting: Declared, before: Any, after: Any, reverts: int | None) -> None:
    """Note a change; of a secret only that there was one, under a name that is not put back."""
    was, now = {"value": before}, {"value": after}
    if setting.secret:
        was, now = {"secret": MASK if before else ""}, {"secret": "changed" if after else ""}
    target = f"plugin:{setting.plugin}.{setting.key}"
    audit.record(actor, "plugin.setting", target, was, now, reverts=reverts)
