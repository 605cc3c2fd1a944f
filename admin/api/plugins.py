"""Plugins in the API: listed and switched."""

from __future__ import annotations

from typing import Any

from flask import abort
from marshmallow import fields

from admin.api.fields import Asked, Flag, Moment, Told, Whole
from admin.api.routes import Routes, panel
from admin.auth import rights
from services import plugins, switching
from services.scopes import Scope

routes = Routes("Plugins", "What the bot can do.")

ONE = "/plugins/<plugin>"


class PluginOut(Told):
    """A plugin."""

    name = fields.String()
    description = fields.String()
    loaded = fields.Boolean(metadata={"description": "False when its file is broken."})
    enabled = fields.Boolean(metadata={"description": "Whether it is switched on everywhere."})
    trouble = fields.String(
        allow_none=True, metadata={"description": "Why it is broken, or suspended."}
    )
    suspended_until = Moment(allow_none=True)
    commands = fields.List(fields.String())


class PluginsOut(Told):
    """All plugins."""

    items = fields.List(fields.Nested(PluginOut))


class PluginChange(Asked):
    """Whether a plugin is on, everywhere or (with `chat_id`) in one chat."""

    enabled = Flag(required=True)
    chat_id = Whole(load_default=0, metadata={"default": 0})


@routes.operation("GET", "/plugins", Scope.PLUGINS_READ, PluginsOut)
def list_plugins() -> dict[str, Any]:
    """List the plugins by name."""
    return {"items": every()}


@routes.operation("GET", ONE, Scope.PLUGINS_READ, PluginOut)
def get_plugin(plugin: str) -> dict[str, Any]:
    """Get a plugin."""
    return find(plugin)


@routes.operation("PATCH", ONE, Scope.PLUGINS_WRITE, PluginOut, body=PluginChange, problems=(409,))
def switch_plugin(change: dict[str, Any], plugin: str) -> dict[str, Any]:
    """Switch a plugin on or off.

    The bot follows within two seconds. On everywhere also ends a suspension.
    """
    if not find(plugin)["loaded"]:
        abort(409, "Its file is broken: mend it first.")
    switching.switch(rights.actor(), panel().switches, plugin, change["enabled"], change["chat_id"])
    return find(plugin)


def find(name: str) -> dict[str, Any]:
    """A plugin by its name; 404 when there is none."""
    found = next((each for each in every() if each["name"] == name), None)
    return found or abort(404, "There is no plugin with this name.")


def every() -> list[dict[str, Any]]:
    """All plugins by name, also those that could not be loaded."""
    panel().refresh()
    registry, resting = panel().registry, plugins.suspensions()
    told = [_told(name, resting.get(name)) for name in registry.paths]
    broken = [_broken(each.name, each.reason) for each in registry.failures]
    return sorted([*told, *broken], key=lambda each: str(each["name"]))


def _told(name: str, rest: plugins.Rest | None) -> dict[str, Any]:
    plugin = panel().registry.plugins.get(name)
    return {
        "name": name,
        "description": plugin.description if plugin else "A module in telebot's style.",
        "loaded": True,
        "enabled": panel().switches.on(name),
        "trouble": rest.failure if rest else None,
        "suspended_until": rest.until if rest else None,
        "commands": [each.name for each in plugin.commands] if plugin else [],
    }


def _broken(name: str, reason: str) -> dict[str, Any]:
    told = {"name": name, "description": "", "loaded": False, "enabled": False}
    return {**told, "trouble": reason, "suspended_until": None, "commands": []}
