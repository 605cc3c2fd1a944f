"""The settings of a plugin as a form: its fields, and what a filled-in one changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from bot.control import parse
from bot.plugin import Plugin, Setting
from services.plugins import Preferences

SHORT = 80
"""Letters up to which a text is one line."""
UNSET = object()


@dataclass(frozen=True, slots=True)
class Field:
    """A setting on the page: what its field holds, and what was wrong with it."""

    setting: Setting[Any]
    kind: str
    text: str
    was: str
    """What the field held when the page was made; of a secret, whether there is one."""
    changed: bool
    """Whether it differs from what the plugin declares."""
    error: str = ""


@dataclass(slots=True)
class Filled:
    """What came of a form: the values to write, and a sentence for each that does not fit."""

    values: dict[str, Any] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)


def fields(
    plugin: Plugin, preferences: Preferences, form: Mapping[str, str], errors: Mapping[str, str]
) -> Iterator[Field]:
    """The fields of a plugin; after a form that was refused, with what was typed."""
    for key, setting in plugin.settings.items():
        stored = preferences.get(plugin.name, key, UNSET) is not UNSET
        shown = as_text(setting.shown)
        typed = "" if setting.secret else _typed(setting, form) if form else shown
        yield Field(setting, kind_of(setting), typed, shown, stored, errors.get(key, ""))


def fill(plugin: Plugin, form: Mapping[str, str]) -> Filled:
    """Read a form: only fields that its sender changed, so that two of the team do not collide."""
    filled = Filled()
    for key, setting in plugin.settings.items():
        if f"was:{key}" not in form:
            continue
        typed, was = _typed(setting, form), _lines(form[f"was:{key}"])
        if (setting.secret and not typed) or (not setting.secret and typed == was):
            continue
        try:
            value = parse(setting, typed)
        except ValueError:
            filled.errors[key] = expected(setting)
            continue
        if value != setting():
            filled.values[key] = value
    return filled


def kind_of(setting: Setting[Any]) -> str:
    """Which field suits a setting."""
    if setting.secret:
        return "secret"
    if setting.choices is not None:
        return "choice"
    kind = type(setting.default)
    if kind is str:
        text = setting()
        return "area" if len(text) > SHORT or "\n" in text else "text"
    return {bool: "switch", int: "whole", float: "number"}[kind]


def expected(setting: Setting[Any]) -> str:
    """What a setting takes, for somebody who gave something else."""
    if setting.choices is not None:
        return f"Choose one of: {', '.join(map(as_text, setting.choices))}."
    return {
        bool: "Choose on or off.",
        int: "Give a whole number.",
        float: "Give a number.",
        str: "Give a text of at most 4,000 letters.",
    }[type(setting.default)]


def as_text(value: Any) -> str:
    """A value as a field holds it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value)


def _typed(setting: Setting[Any], form: Mapping[str, str]) -> str:
    """What stands in a field; a box that is not ticked is not sent."""
    absent = "off" if type(setting.default) is bool else ""
    return _lines(form.get(f"value:{setting.key}", absent))


def _lines(text: str) -> str:
    """A text with the line ends that it had before a browser sent it."""
    return text.replace("\r\n", "\n")
