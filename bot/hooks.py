"""Hooks: what a plugin answers when the platform asks, and the work it declares for later."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from bot import needs, rules
from bot.rules import DeclarationError
from models import Base, User

log = logging.getLogger(__name__)

H = TypeVar("H", bound=Callable[..., object])
Health = TypeVar("Health", bound=Callable[[], str | None])
Stats = TypeVar("Stats", bound=Callable[[], Mapping[str, Any]])
Export = TypeVar("Export", bound=Callable[[User], object])
Delete = TypeVar("Delete", bound=Callable[[User], int | None])
Migrate = TypeVar("Migrate", bound=Callable[[int, int], None])
Start = TypeVar("Start", bound=Callable[[], None])

TAKES: dict[str, tuple[str, ...]] = {
    "health": (),
    "stats": (),
    "export_user": ("user",),
    "delete_user": ("user",),
    "migrate_chat": ("old", "new"),
    "on_start": (),
}
"""The hooks there are, and the arguments of each."""


@dataclass(frozen=True, slots=True)
class Page:
    """A table of the plugin for the panel: which columns are shown, searched and filtered."""

    plugin: str
    model: type[Base]
    columns: tuple[str, ...]
    search: tuple[str, ...]
    filters: tuple[str, ...]
    title: str
    editable: bool


@dataclass(frozen=True, slots=True)
class Job:
    """A function for the worker: every so many seconds, by cron, or (neither) when it is put."""

    plugin: str
    name: str
    func: Callable[..., object]
    every: float | None = None
    cron: str | None = None


class Hooks:
    """The part of a plugin's declarations that is not about updates; see `Plugin`."""

    name: str

    def __init__(self) -> None:
        self.hooks: dict[str, Callable[..., Any]] = {}
        self.pages: list[Page] = []
        self.jobs: dict[str, Job] = {}
        self.required_plugins: tuple[str, ...] = ()
        self._loaded = False

    def close(self) -> None:
        """Take no more declarations: the plugin is loaded."""
        self._loaded = True

    def health(self, func: Health) -> Health:
        """Declare `def name() -> str | None`: None when all is well, else what is wrong."""
        return self._hook("health", func)

    def stats(self, func: Stats) -> Stats:
        """Declare `def name() -> dict`: the plugin in numbers, each under its name."""
        return self._hook("stats", func)

    def export_user(self, func: Export) -> Export:
        """Declare `def name(user)`: all that the plugin holds on a person, as JSON has it."""
        return self._hook("export_user", func)

    def delete_user(self, func: Delete) -> Delete:
        """Declare `def name(user) -> int`: erase a person; give the number of rows.

        It runs in the transaction that erases the person everywhere.
        """
        return self._hook("delete_user", func)

    def migrate_chat(self, func: Migrate) -> Migrate:
        """Declare `def name(old, new)`: a group became a supergroup, with another id.

        It runs in the transaction that moves the rest; columns called chat_id are moved already.
        """
        return self._hook("migrate_chat", func)

    def on_start(self, func: Start) -> Start:
        """Declare `def name()`: runs once when a process of the bot starts, before any update."""
        return self._hook("on_start", func)

    def admin(
        self,
        model: type[Base],
        columns: Sequence[str],
        *,
        search: Sequence[str] = (),
        filters: Sequence[str] = (),
        title: str = "",
        editable: bool = False,
    ) -> None:
        """Declare a page of the panel for a table of the plugin: the columns it shows.

        `search` are columns whose text is searched, `filters` those to choose rows by.
        """
        self._refuse_late()
        known = getattr(getattr(model, "_meta", None), "fields", None)
        if known is None:
            raise DeclarationError(f"admin() takes a table: give it a plugin.Model, not {model!r}.")
        if not columns:
            raise DeclarationError(f"admin({model.__name__}) shows no columns: name some.")
        for column in (*columns, *search, *filters):
            rules.one_of(f"column of {model.__name__}", column, list(known))
        name = title or model.__name__
        chosen = (tuple(columns), tuple(search), tuple(filters))
        self.pages.append(Page(self.name, model, *chosen, name, editable))

    def job(self, *, every: float | None = None, cron: str | None = None) -> Callable[[H], H]:
        """Declare `def name(ctx)` for the worker: `every` so many seconds, or by `cron`."""
        rules.schedule(every, cron)
        return lambda func: self._job(func, rules.function(func), every, cron)

    def task(self, func: H) -> H:
        """Declare `def name(ctx, ...)` for the worker: work that is put off, with arguments."""
        return self._job(func, rules.task(func), None, None)

    def requires(self, *packages: str, plugins: Sequence[str] = ()) -> None:
        """Say what the plugin cannot do without: packages as pip names them, and plugins.

        Write it above the imports that need it. Without them the plugin is left out, with a
        sentence that says what to install; the others run.
        """
        self._refuse_late()
        needs.check(packages)
        for name in plugins:
            rules.plugin_name(name)
        self.required_plugins += tuple(plugins)

    def _hook(self, hook: str, func: H) -> H:
        self._refuse_late()
        rules.hook(hook, func, TAKES[hook])
        if other := self.hooks.get(hook):
            raise DeclarationError(
                f"@plugin.{hook} is declared twice, for {other.__name__}() and {func.__name__}():"
                " put both into one function."
            )
        self.hooks[hook] = func
        return func

    def _job(self, func: H, name: str, every: float | None, cron: str | None) -> H:
        self._refuse_late()
        if name in self.jobs:
            raise DeclarationError(f"Two jobs or tasks are called {name}(): rename one of them.")
        self.jobs[name] = Job(self.name, name, func, every, cron)
        return func

    def _refuse_late(self) -> None:
        if self._loaded:
            raise DeclarationError(
                f"The plugin {self.name} is loaded already: declare at the top of its file, not"
                " inside a function."
            )


def _as_it_is(value: Any) -> Any:
    return value


GIVES: dict[str, Callable[[Any], Any]] = {
    "health": lambda said: str(said) if said else None,
    "stats": dict,
    "delete_user": lambda count: int(count or 0),
    "export_user": lambda held: json.loads(json.dumps(held, default=str)),
}
"""How an answer is made ready inside the boundary, so that one that does not fit fails there."""


def ask(plugin: str, hook: str, func: Callable[..., Any], *given: Any) -> Any:
    """Call a hook inside the plugin's boundary. Raises HookError for whatever the hook raises."""
    try:
        return GIVES.get(hook, _as_it_is)(func(*given))
    except BaseException as error:  # asyncio.CancelledError is no Exception
        if interrupts(error):
            raise
        log.error("the hook %s of %s failed", hook, plugin, exc_info=error)
        raise HookError(plugin, hook, error) from error


def interrupts(error: BaseException) -> bool:
    """Whether somebody at the terminal ends the program: nothing but its main thread hears that."""
    ours = threading.current_thread() is threading.main_thread()
    return ours and isinstance(error, KeyboardInterrupt)


def words_of(error: BaseException) -> str:
    """What an exception says; one whose words fail, as a plugin's own class may, has none."""
    try:
        return str(error)
    except BaseException as failed:
        if interrupts(failed):
            raise
        return ""


class HookError(Exception):
    """A hook of a plugin raised; `__cause__` is what."""

    def __init__(self, plugin: str, hook: str, error: BaseException) -> None:
        super().__init__(f"{hook}() failed: {type(error).__name__}: {words_of(error)}"[:300])
        self.plugin = plugin
        self.hook = hook
        self.error = error
