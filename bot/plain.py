"""Modules in telebot's plain style: what `register(bot)` adds gets the plugin's boundary too."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable
from types import ModuleType
from typing import Any, TypeAlias

from telebot import TeleBot
from telebot.handler_backends import HandlerBackend

from bot.breaker import Breaker
from bot.middleware import Turn
from bot.plugin import Handler

log = logging.getLogger(__name__)

Wrap: TypeAlias = Callable[[Callable[..., Any], str], Callable[..., Any]]
"""Takes a module's function and the module's name; gives what is called in its place."""


def bind(
    telebot: TeleBot,
    name: str,
    module: ModuleType,
    on: Callable[[str, int], bool],
    breaker: Breaker,
    wrap: Wrap | None = None,
) -> None:
    """Let a module register its handlers, and put each under the plugin's name and switches.

    One that raises is left out whole, with a line in the log, and the rest runs. `wrap` is what
    stands in for a function when it fits; by default it runs.
    """
    before = {id(handler) for handlers in _lists(telebot) for handler in handlers}
    try:
        module.register(_own(telebot, name, on, breaker))
    except (Exception, SystemExit):
        log.exception("the module %s is left out: mend what its register(bot) raises", name)
        for handlers in _lists(telebot):
            handlers[:] = [handler for handler in handlers if id(handler) in before]
    for handlers in _lists(telebot):
        for handler in handlers:
            if id(handler) not in before:
                _adopt(handler, name, on, wrap or _runner(breaker))


def handlers_of(telebot: TeleBot) -> list[Handler]:
    """The handlers that modules have registered."""
    entries = [entry for handlers in _lists(telebot) for entry in handlers]
    return [entry["handler"] for entry in entries if "handler" in entry]


class Waiting(HandlerBackend):
    """Telebot's store of what takes a next message or a reply, for one module."""

    def __init__(
        self, store: Any, plugin: str, on: Callable[[str, int], bool], breaker: Breaker
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._store = store
        self._plugin = plugin
        self._on = on
        self._breaker = breaker

    def register_handler(self, key: int, handler: Any) -> None:
        """Keep a function; when it runs it is the module's, and only where that is on."""
        run = _runner(self._breaker)(handler.callback, self._plugin)
        handler.callback = lambda event, *more, **words: (
            run(event, *more, **words) if _is_on(event, self._plugin, self._on) else None
        )
        self._store.register_handler(key, handler)

    def get_handlers(self, key: int) -> Any:
        """Give what waits, and keep it no longer."""
        return self._store.get_handlers(key)

    def clear_handlers(self, key: int) -> None:
        """Let nothing wait any more."""
        self._store.clear_handlers(key)


def _own(
    telebot: TeleBot, plugin: str, on: Callable[[str, int], bool], breaker: Breaker
) -> TeleBot:
    """The bot as a module has it: the tables are the bot's, what it waits for has its name."""
    own = copy.copy(telebot)
    own.next_step_backend = Waiting(telebot.next_step_backend, plugin, on, breaker)
    own.reply_backend = Waiting(telebot.reply_backend, plugin, on, breaker)
    return own


def _lists(telebot: TeleBot) -> list[list[dict[str, Any]]]:
    """Telebot's tables of handlers, one for each kind of update."""
    tables = (table for key, table in vars(telebot).items() if key.endswith("_handlers"))
    return [table for table in tables if isinstance(table, list)]


def _adopt(entry: dict[str, Any], plugin: str, on: Callable[[str, int], bool], wrap: Wrap) -> None:
    filters = entry["filters"]
    wanted, commands = filters.pop("func", None), filters.get("commands")

    def test(event: Any) -> bool:
        if not _is_on(event, plugin, on) or (commands and _is_for_another(event)):
            return False
        if wanted is None:
            return True
        event.turn.handler = handler  # whose fault it is when the filter raises
        accepted = bool(wanted(event))
        event.turn.handler = handler if accepted else None
        return accepted

    entry["handler"] = handler = handler_of(entry["function"], plugin)
    entry["function"] = wrap(entry["function"], plugin)
    entry["filters"] = {**filters, "func": test}


def _runner(breaker: Breaker) -> Wrap:
    """What runs a module's functions."""
    return lambda func, plugin: _run(func, plugin, breaker)


def _run(func: Callable[..., Any], plugin: str, breaker: Breaker) -> Callable[..., Any]:
    """The function, which says whose it is when it runs."""
    handler = handler_of(func, plugin)

    def run(event: Any, *more: Any, **words: Any) -> Any:
        turn: Turn = event.turn
        turn.handler = turn.ctx.handler = handler
        if not breaker.enter(handler, turn.started):
            turn.outcome = "suspended"
            return None
        result = func(event, *more, **words)
        breaker.leave(plugin)
        turn.outcome = "ok"
        return result

    return run


def handler_of(func: Callable[..., Any], plugin: str) -> Handler:
    """A module's function, as a handler of ours."""
    name = getattr(func, "__name__", "handler")
    return Handler(plugin, name, func, "", {}, None, False, None, False)


def _is_on(event: Any, plugin: str, on: Callable[[str, int], bool]) -> bool:
    chat = event.turn.ctx.chat
    return on(plugin, chat.id if chat else 0)


def _is_for_another(event: Any) -> bool:
    """Whether a command names another bot, which telebot does not look at."""
    word = (getattr(event, "text", None) or "").partition(" ")[0].partition("\n")[0]
    mention = word.partition("@")[2].lower()
    return bool(mention) and mention != event.turn.ctx.runtime.username.lower()
