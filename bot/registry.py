"""The registry: what was loaded, and what of it is on for whom."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from bot.hooks import HookError, ask
from bot.plugin import Command, Handler, Plugin
from bot.rules import DeclarationError, no_category
from models import Role, User
from staff import TABLES

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
    missing: bool = False
    """Whether all that is wrong is that a package or a plugin it needs is not there."""


@dataclass(slots=True)
class Registry:
    """Every plugin that was loaded, with one index over all commands and one over all steps."""

    plugins: dict[str, Plugin] = field(default_factory=dict)
    modules: dict[str, ModuleType] = field(default_factory=dict)
    """Modules in telebot's plain style: each has `register(bot)`."""
    paths: dict[str, Path] = field(default_factory=dict)
    """The file of each plugin and module."""
    installed: set[str] = field(default_factory=set)
    """Those that came with an installed package."""
    failures: list[Failure] = field(default_factory=list)
    commands: dict[str, Handler] = field(default_factory=dict)
    """Handlers by the names and aliases of their commands."""
    steps: dict[str, Handler] = field(default_factory=dict)
    """Handlers by "plugin.function"."""
    on: Callable[[str, int], bool] = _always
    """Whether a plugin is on in a chat, or everywhere (0); see `bind`."""
    troubles: dict[str, str] = field(default_factory=dict)
    """Plugins whose on_start failed, and what it said."""

    def add(self, plugin: Plugin) -> None:
        """Take a plugin in, and let it declare no more. Raises DeclarationError."""
        commands = self._check(plugin)
        plugin.close()
        self.plugins[plugin.name] = plugin
        self.commands.update(commands)
        self.steps.update({f"{plugin.name}.{name}": step for name, step in plugin.steps.items()})

    def drop(self, name: str) -> None:
        """Take a plugin out again: something that it needs is not there."""
        del self.plugins[name], self.paths[name]
        self.commands = {k: one for k, one in self.commands.items() if one.plugin != name}
        self.steps = {k: one for k, one in self.steps.items() if one.plugin != name}

    def hooks(self, hook: str) -> dict[str, Callable[..., Any]]:
        """The functions that the plugins declared for a hook, each to be called by `ask`."""
        found = {name: plugin.hooks.get(hook) for name, plugin in self.plugins.items()}
        return {name: partial(ask, name, hook, func) for name, func in found.items() if func}

    def start(self) -> None:
        """Run every plugin's on_start; one that fails is noted in `troubles`, the rest runs."""
        for name, begin in self.hooks("on_start").items():
            try:
                begin()
            except HookError as error:
                self.troubles[name] = str(error)

    def health(self) -> dict[str, str | None]:
        """What is wrong with each plugin that is on and can say, None where all is well."""
        checks = self.hooks("health")
        said = {name: self.troubles.get(name) for name in {**self.troubles, **checks}}
        for name, check in checks.items():
            if not self.on(name, 0):
                del said[name]
            elif said[name] is None:
                try:
                    said[name] = check() or None
                except HookError as error:
                    said[name] = str(error)
        return dict(sorted(said.items()))

    def stats(self) -> dict[str, dict[str, Any]]:
        """Each plugin that is on in its own numbers; one whose hook fails is left out."""
        numbers = {}
        for name, count in self.hooks("stats").items():
            if self.on(name, 0):
                with suppress(HookError):  # it is in the log
                    numbers[name] = count()
        return numbers

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
