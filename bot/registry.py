"""The registry: what was loaded, and what of it is on for whom."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from bot.plugin import Command, Handler, Plugin
from bot.rules import DeclarationError, no_category
from models import TABLES, Role, User

COMMANDS = 100
"""How many commands Telegram's menu holds."""


def _always(_plugin: str, _chat_id: int) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Failure:
    """A plugin that could not be loaded: one sentence, and the whole traceback."""

    name: str
    path: Path
    reason: str
    traceback: str


@dataclass(slots=True)
class Registry:
    """Every plugin that was loaded, with one index over all commands and one over all steps."""

    plugins: dict[str, Plugin] = field(default_factory=dict)
    modules: dict[str, ModuleType] = field(default_factory=dict)
    """Modules in telebot's plain style: each has `register(bot)`."""
    paths: dict[str, Path] = field(default_factory=dict)
    """The file of each plugin and module."""
    failures: list[Failure] = field(default_factory=list)
    commands: dict[str, Handler] = field(default_factory=dict)
    """Handlers by the names and aliases of their commands."""
    steps: dict[str, Handler] = field(default_factory=dict)
    """Handlers by "plugin.function"."""
    on: Callable[[str, int], bool] = _always
    """Whether a plugin is on in a chat, or everywhere (0); see `bind`."""

    def add(self, plugin: Plugin) -> None:
        """Take a plugin in, and let it declare no more. Raises DeclarationError."""
        commands = self._check(plugin)
        plugin.close()
        self.plugins[plugin.name] = plugin
        self.commands.update(commands)
        self.steps.update({f"{plugin.name}.{name}": step for name, step in plugin.steps.items()})

    def bind(
        self, switched_on: Callable[[str, int], bool], stored: Callable[[str, str, Any], Any]
    ) -> None:
        """Follow the switches and the stored settings from now on."""
        self.on = switched_on
        for plugin in self.plugins.values():
            for setting in plugin.settings.values():
                setting.read = stored

    def usable(self, user: User | None, chat_id: int) -> list[Command]:
        """The commands that a person may use in a chat, in the order of their plugins."""
        return self.menu(user.role if user else Role.USER, chat_id)

    def menu(self, role: Role, chat_id: int) -> list[Command]:
        """The commands that a role may use in a chat, or (0) everywhere."""
        return [
            command
            for plugin in self.plugins.values()
            if self.on(plugin.name, chat_id)
            for command in plugin.commands
            if command.role <= role
        ]

    def category(self, plugin: str, name: str) -> str:
        """The full name of a category: a plugin's own, or another one's as "plugin.category".

        Raises LookupError.
        """
        owner, _, own = name.rpartition(".")
        owner = owner or plugin
        if owner not in self.plugins or own not in self.plugins[owner].categories:
            raise LookupError(no_category(owner, own))
        return f"{owner}.{own}"

    def categories(self, chat_id: int) -> dict[str, str]:
        """The kinds of notices of the plugins that are on in a chat: full names and their help."""
        return {
            f"{plugin.name}.{name}": meaning
            for plugin in self.plugins.values()
            if self.on(plugin.name, chat_id)
            for name, meaning in plugin.categories.items()
        }

    def _check(self, plugin: Plugin) -> dict[str, Handler]:
        if plugin.name in self.plugins:
            raise DeclarationError(f"Two plugins are called {plugin.name!r}: rename one of them.")
        found = {
            name: handler
            for handler in plugin.handlers
            if handler.command
            for name in (handler.command.name, *handler.command.aliases)
        }
        for name, handler in found.items():
            if other := self.commands.get(name):
                raise DeclarationError(
                    f"The command {name!r} is declared twice, by {other.plugin}.{other.name}() and"
                    f" {handler.plugin}.{handler.name}(): rename one of them."
                )
        self._check_tables(plugin)
        total = sum(len(each.commands) for each in self.plugins.values()) + len(plugin.commands)
        if total > COMMANDS:
            raise DeclarationError(
                f"{plugin.name} brings the commands to {total} and Telegram's menu holds"
                f" {COMMANDS}: make some of them aliases, or buttons."
            )
        return found

    def _check_tables(self, plugin: Plugin) -> None:
        owners = {model._meta.table_name: "the core" for model in TABLES}
        for other in (*self.plugins.values(), plugin):
            for model in other.models:
                table = model._meta.table_name
                if owner := owners.get(table):
                    raise DeclarationError(
                        f"The table {table!r} of {other.name}.{model.__name__} is {owner}'s"
                        " already: rename the class."
                    )
                owners[table] = other.name
