"""What a team may do to the plugins while the bot runs: see, switch and set them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from services.plugins import EVERYWHERE, Preferences, Switches

if TYPE_CHECKING:
    from bot.breaker import Breaker
    from bot.plugin import Setting
    from bot.registry import Registry

TRUE, FALSE = ("on", "yes", "true", "1"), ("off", "no", "false", "0")
LONGEST = 4000
"""Letters that a text may have."""
SHOWN = 100
"""How much of what does not fit is said again."""


class State(StrEnum):
    """What a plugin does in a chat at the moment."""

    ON = "on"
    OFF = "off"
    OFF_HERE = "off here"
    SUSPENDED = "suspended"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Listed:
    """A plugin as the team sees it, its commands with their aliases.

    `trouble` says why it is broken or suspended.
    """

    name: str
    description: str
    state: State
    settings: tuple[Setting[Any], ...] = ()
    commands: tuple[str, ...] = ()
    trouble: str = ""


class Control:
    """The plugins of a bot, by name. Nobody's rights are checked here."""

    def __init__(
        self, registry: Registry, switches: Switches, preferences: Preferences, breaker: Breaker
    ) -> None:
        self._registry = registry
        self._switches = switches
        self._preferences = preferences
        self._breaker = breaker

    def all(self, chat_id: int = EVERYWHERE) -> list[Listed]:
        """Every plugin in the order of the names, with its state in a chat, or everywhere."""
        registry = self._registry
        broken = [
            Listed(each.name, "", State.BROKEN, trouble=each.reason) for each in registry.failures
        ]
        loaded = [self._listed(name, chat_id) for name in registry.paths]
        return sorted([*loaded, *broken], key=lambda listed: listed.name)

    def get(self, name: str, chat_id: int = EVERYWHERE) -> Listed | None:
        """One plugin, or None."""
        return next((listed for listed in self.all(chat_id) if listed.name == name), None)

    def switch(self, name: str, on: bool, chat_id: int = EVERYWHERE) -> None:
        """Switch a plugin on or off, in one chat or everywhere; every process follows in 2 s.

        On everywhere also ends a suspension. Raises LookupError for a plugin that is not loaded.
        """
        if name not in self._registry.paths:
            raise LookupError(f"There is no plugin {name!r}.")
        self._switches.set(name, on, chat_id)
        if on and chat_id == EVERYWHERE:
            self._breaker.resume(name)

    def set(self, name: str, key: str, text: str) -> None:
        """Set a setting as a person writes it; every process follows in 2 s.

        Raises LookupError for an unknown one, ValueError for what its type or choices refuse.
        """
        self._preferences.set(name, key, parse(self._setting(name, key), text))

    def reset(self, name: str, key: str) -> None:
        """Give a setting its default back. Raises LookupError for an unknown one."""
        self._setting(name, key)
        self._preferences.reset(name, key)

    def _setting(self, name: str, key: str) -> Setting[Any]:
        plugin = self._registry.plugins.get(name)
        if plugin is None or key not in plugin.settings:
            raise LookupError(f"There is no setting {key!r} of a plugin {name!r}.")
        return plugin.settings[key]

    def _listed(self, name: str, chat_id: int) -> Listed:
        plugin, rest = self._registry.plugins.get(name), self._breaker.suspended.get(name)
        trouble = rest.failure if rest else ""
        if plugin is None:
            about = "A module in telebot's style."
            return Listed(name, about, self._state(name, chat_id), trouble=trouble)
        return Listed(
            name,
            plugin.description,
            self._state(name, chat_id),
            tuple(plugin.settings.values()),
            tuple(name for each in plugin.commands for name in (each.name, *each.aliases)),
            trouble,
        )

    def _state(self, name: str, chat_id: int) -> State:
        if not self._switches.on(name):
            return State.OFF
        if not self._switches.on(name, chat_id):
            return State.OFF_HERE
        return State.SUSPENDED if name in self._breaker.suspended else State.ON


def parse(setting: Setting[Any], text: str) -> Any:
    """What a person wrote, as the setting's type. Raises ValueError when it does not fit."""
    kind, text = type(setting.default), text.strip()
    told = "that" if setting.secret else f"{text[:SHOWN]!r}"
    try:
        value = _read(kind, text)
    except (ValueError, OverflowError):
        value = None
    if value is None or not setting.fits(value):
        raise ValueError(f"{setting.key} cannot be {told}.")
    return value


def _read(kind: type, text: str) -> Any:
    """The text as a value of a type, None when it is none. Raises ValueError, OverflowError."""
    if kind is bool:
        return text.lower() in TRUE if text.lower() in TRUE + FALSE else None
    if kind is str:
        return text if len(text) <= LONGEST and is_storable(text) else None
    value = kind(text)
    return value if math.isfinite(value) else None


def is_storable(text: str) -> bool:
    """Whether every database can keep a text: it has no NUL and no half of a letter."""
    return "\0" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)
