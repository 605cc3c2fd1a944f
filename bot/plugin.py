"""The plugin: what one file declares; nothing happens until the loader binds it."""

from __future__ import annotations

import inspect
import logging
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

import peewee

from bot import rules
from bot.hooks import Hooks
from bot.rules import DeclarationError
from models import Base, Role, User
from services import notices

if TYPE_CHECKING:
    from bot.context import Context

log = logging.getLogger(__name__)

S = TypeVar("S", bound=bool | int | float | str)
F = TypeVar("F", bound="Callable[[Context], object]")


@dataclass(frozen=True, slots=True)
class Command:
    """A command as users see it; `help` is the first line of the function's docstring."""

    name: str
    aliases: tuple[str, ...]
    help: str
    role: Role
    examples: tuple[tuple[str, str], ...] = ()
    """What may be said, and what the bot answers then; "…" stands for anything."""


@dataclass(frozen=True, slots=True)
class Handler:
    """A function and what it takes: a command, a kind of update, or a conversation's answer."""

    plugin: str
    name: str
    func: Callable[[Any], object]
    kind: str
    filters: Mapping[str, Any]
    role: Role | None
    atomic: bool
    command: Command | None
    last: bool


@dataclass(slots=True, eq=False)
class Setting(Generic[S]):
    """A value that the team may change while the bot runs; calling it gives the one in force."""

    plugin: str
    key: str
    default: S
    help: str
    choices: tuple[S, ...] | None
    secret: bool = False
    """Whether the value is never shown, and nobody is told what it was."""
    read: Callable[[str, str, Any], Any] | None = None
    """Set by the loader: gives what is stored for a plugin and a key, or the default."""
    _refused: Any = field(default=None, repr=False)

    def __call__(self) -> S:
        """The value in force; instead of a stored one that does not fit, the default."""
        if self.read is None:
            return self.default
        value = self.read(self.plugin, self.key, self.default)
        if self.fits(value):
            return type(self.default)(value)
        if value != self._refused:
            self._refused = value
            told = rules.MASK if self.secret else repr(value)
            log.warning("the setting %s.%s cannot be %s", self.plugin, self.key, told)
        return self.default

    @property
    def shown(self) -> S | str:
        """The value in force as a person may see it: of a secret, whether there is one."""
        value = self()
        return rules.MASK if self.secret and value else value

    def fits(self, value: object) -> bool:
        """Whether the setting may have this value."""
        kind = type(self.default)
        same = type(value) is kind or (kind is float and type(value) is int)
        return same and (self.choices is None or value in self.choices)


class Plugin(Hooks):
    """One feature of the bot, declared in one file.

        plugin = Plugin(__name__)

        @plugin.command("ping")
        def ping(ctx: Context) -> str:
            \"\"\"Check that the bot is alive.\"\"\"
            return "pong"

    The file's name is the plugin's name, its docstring the description. Every decorator gives
    the function back. What cannot be raises DeclarationError at once.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = rules.plugin_name(name.rpartition(".")[2])
        module = sys.modules.get(name)
        self.description = (inspect.getdoc(module) or "").partition("\n")[0].strip()
        self.handlers: list[Handler] = []
        self.commands: list[Command] = []
        self.steps: dict[str, Handler] = {}
        self.settings: dict[str, Setting[Any]] = {}
        self.categories: dict[str, str] = {}
        self.models: list[type[Base]] = []

    def command(
        self, name: str, *aliases: str, role: str = "user", atomic: bool = False
    ) -> Callable[[F], F]:
        """Declare a command: its names without the /, and the least role that may use it.

        `atomic=True`: what the function writes is committed together with the mark that the
        update is done, and what it sends goes out after that; it runs exactly once.
        Lines of its docstring such as "/roll 2d6 → You rolled …" are examples.
        """
        names = [rules.command_name(each) for each in (name, *aliases)]
        least = rules.role_named(role)

        def declare(func: F) -> F:
            self._refuse_twice(rules.function(func), names)
            shown = rules.examples(func, names)
            command = Command(name, aliases, rules.help_text(func), least, shown)
            self.commands.append(command)
            self._add(func, "message", {}, least, atomic, command, False)
            return func

        return declare

    def on(
        self,
        kind: str,
        *,
        role: str | None = None,
        atomic: bool = False,
        last: bool = False,
        **filters: Any,
    ) -> Callable[[F], F]:
        """Declare a handler for a kind of update, such as "message" or "callback_query".

        Filters: content_types (["text"] unless given), regexp, chat_types and func for messages;
        data, the beginning of what the button carries, for buttons; func for all.
        `last=True`: only what no other handler took. The first handler that fits gets the update.
        """
        rules.one_of("kind of update", kind, rules.KINDS)
        chosen = rules.filters(self.name, kind, filters)
        least = rules.role_named(role) if role else None

        def declare(func: F) -> F:
            self._add(func, kind, chosen, least, atomic, None, last)
            return func

        return declare

    @overload
    def step(self, func: F, /) -> F: ...
    @overload
    def step(self, func: None = None, /, *, atomic: bool = False) -> Callable[[F], F]: ...
    def step(self, func: Any = None, /, *, atomic: bool = False) -> Any:
        """Declare a function that takes the answer to a question of `ctx.ask`."""

        def declare(func: F) -> F:
            handler = self._add(func, "message", {}, None, atomic, None, False, bind=False)
            self.steps[handler.name] = handler
            return func

        return declare if func is None else declare(func)

    def setting(
        self,
        key: str,
        default: S,
        help: str,  # noqa: A002
        choices: Sequence[S] | None = None,
        *,
        secret: bool = False,
    ) -> Setting[S]:
        """Declare a setting of the default's type: a bool, int, float or str.

        `secret=True`: a text, such as a password, that can be set and never be read again.
        """
        self._refuse_late()
        rules.setting(key, default, help, choices, secret=secret)
        if key in self.settings:
            raise DeclarationError(f"The setting {key!r} is declared twice: rename one of them.")
        allowed = tuple(choices) if choices else None
        setting = Setting(self.name, key, default, help, allowed, secret)
        self.settings[key] = setting
        return setting

    def category(self, name: str, help: str) -> str:  # noqa: A002
        """Declare a kind of notices that people can switch off; gives its full name.

        `help` is what they read of it, in a few words.
        """
        self._refuse_late()
        rules.category(self.name, name, help)
        if name in self.categories:
            raise DeclarationError(f"The category {name!r} is declared twice: rename one of them.")
        self.categories[name] = help
        return f"{self.name}.{name}"

    def notify(
        self,
        user: User | int,
        text: str,
        *,
        category: str,
        parse_mode: str | None = None,
        at: datetime | None = None,
    ) -> bool:
        """As `ctx.notify`, where there is no ctx: in a job, or in a thread of the plugin's own."""
        name = category.removeprefix(f"{self.name}.")
        if name not in self.categories:
            raise LookupError(rules.no_category(self.name, name))
        full = f"{self.name}.{name}"
        return notices.notify(user, text, category=full, parse_mode=parse_mode, at=at)

    @cached_property
    def Model(self) -> type[Base]:  # noqa: N802  it is a class
        """The base of the plugin's tables, each called <plugin>_<class>."""
        plugin = self

        class Model(Base):
            class Meta:
                table_function = plugin._table_name

            def __init_subclass__(cls, **options: Any) -> None:
                super().__init_subclass__(**options)
                plugin._refuse_late()
                plugin.models.append(cls)

        return Model

    def _add(
        self,
        func: Callable[[Any], object],
        kind: str,
        filters: Mapping[str, Any],
        role: Role | None,
        atomic: bool,
        command: Command | None,
        last: bool,
        *,
        bind: bool = True,
    ) -> Handler:
        self._refuse_late()
        name = rules.function(func)
        handler = Handler(self.name, name, func, kind, filters, role, atomic, command, last)
        if not bind and name in self.steps:
            raise DeclarationError(f"Two steps are called {name}(): rename one of them.")
        if bind:
            self.handlers.append(handler)
        return handler

    def _refuse_twice(self, function: str, names: Sequence[str]) -> None:
        taken = {
            name: handler.name
            for handler in self.handlers
            if handler.command
            for name in (handler.command.name, *handler.command.aliases)
        }
        for number, name in enumerate(names):
            if name in taken or name in names[:number]:
                other = taken.get(name, function)
                raise DeclarationError(
                    f"The command {name!r} is declared twice, for {other}() and {function}():"
                    " rename one of them."
                )

    def _table_name(self, model: type[peewee.Model]) -> str:
        words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", model.__name__)
        return f"{self.name}_{words.lower()}"
