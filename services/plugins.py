"""Which plugins are on, and what their settings are: read in memory, kept in the database."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from database import db, now
from models import PluginSetting, PluginSwitch, Suspension

EVERYWHERE = 0
"""The chat id of a switch that holds for all chats."""


class Switches:
    """Plugins that are switched off. A plugin is on unless it is off everywhere or in the chat."""

    def __init__(self) -> None:
        self._off: frozenset[tuple[str, int]] = frozenset()
        self._seen = self._off

    def refresh(self) -> bool:
        """Read the table; whether anything was switched since, by this process or another."""
        rows = db.execute_sql("SELECT plugin, chat_id FROM plugin_switches WHERE NOT enabled")
        self._off = frozenset((plugin, chat_id) for plugin, chat_id in rows.fetchall())
        changed, self._seen = self._off != self._seen, self._off
        return changed

    def on(self, plugin: str, chat_id: int = EVERYWHERE) -> bool:
        """Whether a plugin works in a chat, by what was read last."""
        off = self._off
        return not off or ((plugin, EVERYWHERE) not in off and (plugin, chat_id) not in off)

    def chats_off(self, plugin: str) -> list[int]:
        """The chats in which a plugin is off by a switch of their own, by what was read last."""
        return sorted(chat_id for name, chat_id in self._off if name == plugin and chat_id)

    def off_in(self, chat_id: int) -> set[str]:
        """The plugins that are off in a chat by a switch of its own, by what was read last."""
        return {name for name, place in self._off if place == chat_id}

    @staticmethod
    def stored(plugin: str, chat_id: int = EVERYWHERE) -> bool:
        """What the table says of one switch: on, unless it was switched off."""
        mine = PluginSwitch.plugin == plugin, PluginSwitch.chat_id == chat_id
        return not PluginSwitch.select().where(*mine, ~PluginSwitch.enabled).exists()

    def set(self, plugin: str, enabled: bool, chat_id: int = EVERYWHERE) -> None:
        """Switch a plugin on or off in a chat, or everywhere. Other processes follow in 2 s."""
        PluginSwitch.insert(plugin=plugin, chat_id=chat_id, enabled=enabled).on_conflict(
            conflict_target=[PluginSwitch.plugin, PluginSwitch.chat_id],
            preserve=[PluginSwitch.enabled],
        ).execute()
        key = frozenset({(plugin, chat_id)})
        self._off = self._off - key if enabled else self._off | key


class Preferences:
    """The settings that differ from what their plugins declare."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, str], Any] = {}

    def refresh(self) -> bool:
        """Read the table; whether anything was set since."""
        values = {(row.plugin, row.key): row.value for row in PluginSetting.select()}
        changed, self._values = values != self._values, values
        return changed

    def get(self, plugin: str, key: str, default: Any = None) -> Any:
        """A setting by what was read last, or the default."""
        return self._values.get((plugin, key), default)

    def set(self, plugin: str, key: str, value: Any) -> None:
        """Keep a setting, of any type that JSON has. Other processes follow in 2 s."""
        PluginSetting.insert(plugin=plugin, key=key, value=value).on_conflict(
            conflict_target=[PluginSetting.plugin, PluginSetting.key],
            preserve=[PluginSetting.value],
        ).execute()
        self._values = {**self._values, (plugin, key): value}

    def reset(self, plugin: str, key: str) -> None:
        """Go back to the default."""
        PluginSetting.delete().where(
            PluginSetting.plugin == plugin, PluginSetting.key == key
        ).execute()
        self._values = {k: value for k, value in self._values.items() if k != (plugin, key)}


class Rest(NamedTuple):
    """Why and until when a plugin is suspended."""

    until: datetime
    times: int
    """How often in a row it failed: when it was suspended, and on each new try."""
    failure: str
    traceback: str


def suspensions() -> dict[str, Rest]:
    """The plugins that the circuit breaker has suspended, by name."""
    rows = Suspension.select()
    return {row.plugin: Rest(row.until, row.times, row.failure, row.traceback) for row in rows}


def suspend(plugin: str, rest: Rest) -> None:
    """Write down that a plugin is suspended. Every process follows in 2 s."""
    row = {**rest._asdict(), "updated_at": now()}
    Suspension.insert(plugin=plugin, **row).on_conflict(
        conflict_target=[Suspension.plugin],
        preserve=[getattr(Suspension, name) for name in row],
    ).execute()


def resume(plugins: Iterable[str]) -> None:
    """End suspensions. Every process follows in 2 s."""
    Suspension.delete().where(Suspension.plugin.in_(list(plugins))).execute()
