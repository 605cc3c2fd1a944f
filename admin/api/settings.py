"""Settings of plugins in the API: what their plugins declare, checked as they declare it."""

from __future__ import annotations

import math
from typing import Any

from flask import abort
from marshmallow import ValidationError, fields

from admin.api.fields import BIG, Asked, Told
from admin.api.plugins import ONE, routes
from admin.api.routes import panel
from admin.auth import rights
from bot.control import LONGEST, is_storable
from bot.plugin import Setting
from services import switching
from services.scopes import Scope

SETTING = f"{ONE}/settings/<setting>"
KINDS = {bool: "boolean", int: "integer", float: "number", str: "string"}


class Value(fields.Raw):
    """A truth value, a number or a text."""

    def __init__(self, **more: Any) -> None:
        super().__init__(metadata={"type": ["boolean", "number", "string"]}, **more)

    def _deserialize(self, value: Any, attr: Any, data: Any, **more: Any) -> Any:
        del attr, data, more
        if isinstance(value, bool | int | float | str):
            return value
        raise ValidationError("Not true, false, a number or a text.")


class SettingOut(Told):
    """A setting. The value of a secret one is never told: it is null."""

    key = fields.String()
    help = fields.String()
    kind = fields.String(metadata={"enum": list(KINDS.values())})
    choices = fields.List(Value(), allow_none=True)
    default = Value()
    value = Value(allow_none=True)
    secret = fields.Boolean()
    changed = fields.Boolean(metadata={"description": "Whether it has a value of its own."})


class SettingsOut(Told):
    """All settings of a plugin."""

    items = fields.List(fields.Nested(SettingOut))


class SettingChange(Asked):
    """The value that a setting is to have."""

    value = Value(required=True)


@routes.operation("GET", f"{ONE}/settings", Scope.PLUGINS_READ, SettingsOut)
def list_settings(plugin: str) -> dict[str, Any]:
    """List the settings of a plugin."""
    panel().refresh()
    return {"items": [_told(setting) for setting in _declared(plugin).values()]}


@routes.operation("GET", SETTING, Scope.PLUGINS_READ, SettingOut)
def get_setting(plugin: str, setting: str) -> dict[str, Any]:
    """Get a setting."""
    panel().refresh()
    return _told(_find(plugin, setting))


@routes.operation(
    "PUT", SETTING, Scope.PLUGINS_WRITE, SettingOut, body=SettingChange, problems=(409,)
)
def set_setting(change: dict[str, Any], plugin: str, setting: str) -> dict[str, Any]:
    """Give a setting a value of its kind. The bot follows within two seconds."""
    found, value = _find(plugin, setting), change["value"]
    if not _fits(found, value):
        abort(409, f"{plugin}.{setting} takes {_wanted(found)}.")
    switching.put(rights.actor(), panel().preferences, found, value)
    return _told(found)


@routes.operation("DELETE", SETTING, Scope.PLUGINS_WRITE, SettingOut)
def reset_setting(plugin: str, setting: str) -> dict[str, Any]:
    """Give a setting its default back."""
    found = _find(plugin, setting)
    switching.reset(rights.actor(), panel().preferences, found)
    return _told(found)


def _declared(plugin: str) -> dict[str, Setting[Any]]:
    registry = panel().registry
    if plugin not in registry.paths:
        abort(404, "There is no plugin with this name.")
    found = registry.plugins.get(plugin)
    return found.settings if found else {}


def _find(plugin: str, key: str) -> Setting[Any]:
    return _declared(plugin).get(key) or abort(404, "The plugin has no setting with this key.")


def _fits(setting: Setting[Any], value: Any) -> bool:
    """Whether the setting may have it, and every database can keep it."""
    if isinstance(value, str):
        return setting.fits(value) and len(value) <= LONGEST and is_storable(value)
    if isinstance(value, int | float):
        return setting.fits(value) and math.isfinite(value) and -BIG <= value <= BIG
    return False


def _wanted(setting: Setting[Any]) -> str:
    if setting.choices:
        return "one of " + ", ".join(map(str, setting.choices))
    return f"a {KINDS[type(setting.default)]}"


def _told(setting: Setting[Any]) -> dict[str, Any]:
    stored = panel().preferences.get(setting.plugin, setting.key)
    return {
        "key": setting.key,
        "help": setting.help,
        "kind": KINDS[type(setting.default)],
        "choices": setting.choices and list(setting.choices),
        "default": setting.default,
        "value": None if setting.secret else setting(),
        "secret": setting.secret,
        "changed": stored is not None,
    }
