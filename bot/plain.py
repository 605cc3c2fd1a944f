"""Modules in telebot's plain style: what `register(bot)` adds gets the plugin's boundary too."""

from __future__ import annotations

import logging
from collections.abc import Callable
from types import ModuleType
from typing import Any

from telebot import TeleBot

from bot.middleware import Turn
from bot.plugin import Handler

log = logging.getLogger(__name__)


def bind(telebot: TeleBot, name: str, module: ModuleType, on: Callable[[str, int], bool]) -> None:
    """Let a module register its handlers, and put each under the plugin's name and switches.

    One that raises is left out whole, with a line in the log, and the rest runs.
    """
    before = [len(handlers) for handlers in _lists(telebot)]
    try:
        module.register(telebot)
    except (Exception, SystemExit):
        log.exception("the module %s is left out: mend what its register(bot) raises", name)
        for handlers, count in zip(_lists(telebot), before):
            del handlers[count:]
    for handlers, count in zip(_lists(telebot), before):
        for handler in handlers[count:]:
            _adopt(handler, name, on)


def _lists(telebot: TeleBot) -> list[list[dict[str, Any]]]:
    """Telebot's tables of handlers, one for each kind of update."""
    tables = (table for key, table in vars(telebot).items() if key.endswith("_handlers"))
    return [table for table in tables if isinstance(table, list)]


def _adopt(entry: dict[str, Any], plugin: str, on: Callable[[str, int], bool]) -> None:
    func, filters = entry["function"], entry["filters"]
    name = getattr(func, "__name__", "handler")
    handler = Handler(plugin, name, func, "", {}, None, False, None, False)

    def run(event: Any, *more: Any, **words: Any) -> Any:
        turn: Turn = event.turn
        turn.handler = turn.ctx.handler = handler
        result = func(event, *more, **words)
        turn.outcome = "ok"
        return result

    def is_on(event: Any) -> bool:
        chat = event.turn.ctx.chat
        return on(plugin, chat.id if chat else 0)

    entry["function"] = run
    wanted = filters.get("func")
    filters["func"] = (lambda event: is_on(event) and wanted(event)) if wanted else is_on
