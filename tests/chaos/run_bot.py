"""Run the bot, or the bot with one guarantee switched off: the control of a fault test."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Any

import bot.client
import bot.core
import bot.inbox
import bot.limits
import bot.run
import settings
from bot.inbox import Item
from tests.tracebacks import keep, watch


class Forgetful(bot.inbox.Inbox):
    """Tells Telegram "received" before anything is committed."""

    def accept(self, bot_id: int, updates: Any, **_: Any) -> list[Item]:
        items = bot.inbox._items(bot_id, updates)
        self._meet(items, self.clock())
        return items


class Unordered(bot.inbox.Inbox):
    """Gives every update a lane of its own."""

    def accept(self, bot_id: int, updates: Any, **_: Any) -> list[Item]:
        items = super().accept(bot_id, updates)
        for item in items:
            item.lane = item.update_id
        return items


class Careless(bot.inbox.Inbox):
    """Tells Telegram "received" although the commit failed."""

    def accept(self, bot_id: int, updates: Any, **options: Any) -> list[Item]:
        with suppress(Exception):
            return super().accept(bot_id, updates, **options)
        return []


class Deaf(bot.limits.Limits):
    """Does not pause when Telegram asks for it."""

    def pause(self, chat_id: object, seconds: float) -> None:
        pass


class Uncounted(bot.client.Client):
    """Repeats what may have been carried out, and tells nobody."""

    def _doubt(self, method: str, doubts: int, error: Exception) -> None:
        pass


class Hasty(bot.client.Client):
    """Drops what comes too fast."""

    def _hold(self, chat: str | None, error: Exception) -> None:
        raise error


class Eager(bot.client.Client):
    """Does everything twice, to be sure."""

    def call(self, method: str, *args: Any, **options: Any) -> Any:
        super().call(method, *args, **options)
        return super().call(method, *args, **options)


CONTROLS: dict[str, Any] = {
    "confirm-first": Forgetful,
    "confirm-anyway": Careless,
    "no-lanes": Unordered,
    "no-pause": Deaf,
    "no-count": Uncounted,
    "no-patience": Hasty,
    "no-restraint": Eager,
}


if __name__ == "__main__":
    watch(keep)
    if len(sys.argv) > 1:
        control = CONTROLS[sys.argv[1]]
        vars(bot.core)[control.__base__.__name__] = control
    sys.exit(bot.run.main(settings.load()))
