"""Switches, settings and suspensions changed by the team: each change with its audit entry."""

from __future__ import annotations

from typing import Any

from database import current, db
from services import audit, plugins
from services.audit import MASK, Actor
from services.plugins import EVERYWHERE, Preferences, Switches

CHANGING = 0x5317
"""Key of the lock under which the team changes one switch or setting at a time."""


def switch(
    actor: Actor, switches: Switches, plugin: str, enabled: bool, chat_id: int = EVERYWHERE
) -> None:
    """Switch a plugin on or off, in one chat or everywhere; on everywhere ends a suspension."""
    with db.atomic():
        current().serialise(CHANGING)
        before = switches.stored(plugin, chat_id)
        switches.set(plugin, enabled, chat_id)
        if enabled and chat_id == EVERYWHERE:
            plugins.resume([plugin])
        target = switch_target(plugin, chat_id)
        audit.record(actor, "plugin.switch", target, {"enabled": before}, {"enabled": enabled})


def put(
    actor: Actor,
    preferences: Preferences,
    plugin: str,
    key: str,
    value: Any,
    *,
    before: Any,
    secret: bool = False,
) -> None:
    """Give a setting a value that fits it; `before` is the one in force until now."""
    with db.atomic():
        current().serialise(CHANGING)
        preferences.set(plugin, key, value)
        _record(actor, plugin, key, before, value, secret=secret)


def reset(
    actor: Actor,
    preferences: Preferences,
    plugin: str,
    key: str,
    default: Any,
    *,
    before: Any,
    secret: bool = False,
) -> None:
    """Give a setting its default back."""
    with db.atomic():
        current().serialise(CHANGING)
        preferences.reset(plugin, key)
        _record(actor, plugin, key, before, default, secret=secret)


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


def _record(actor: Actor, plugin: str, key: str, before: Any, after: Any, *, secret: bool) -> None:
    """Note a change; of a secret only that there was one, under a name that is not put back."""
    was, now = {"value": before}, {"value": after}
    if secret:
        was, now = {"secret": MASK if before else ""}, {"secret": "changed" if after else ""}
    audit.record(actor, "plugin.setting", f"plugin:{plugin}.{key}", was, now)
