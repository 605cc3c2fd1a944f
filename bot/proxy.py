"""The proxy: a TeleBot whose calls our client makes; it holds no token and opens no connection."""

from __future__ import annotations

import itertools
import logging
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from telebot import TeleBot, apihelper
from telebot.handler_backends import ContinueHandling
from telebot.storage import StateMemoryStorage

from bot.answer import Answer

if TYPE_CHECKING:
    from bot.client import Client
    from bot.outbox import Outbox

logging.getLogger("TeleBot").handlers.clear()  # telebot writes to stderr past our filters


class Bot(TeleBot):
    """A TeleBot that holds no token, opens no connection and leaves the polling to us."""

    def __init__(self, placeholder: str, client: Client) -> None:
        super().__init__(placeholder, threaded=False, state_storage=StateMemoryStorage())
        self.client = client

    def download_file(self, file_path: str) -> bytes:
        """Get a file; telebot's own way goes round the request sender."""
        return self.client.download(file_path)

    def _test_message_handler(self, message_handler: dict[str, Any], message: Any) -> bool:
        """Whether all filters fit, as telebot has it; the usual two are looked at at once."""
        filters = message_handler["filters"]
        types, func = filters.get("content_types"), filters.get("func")
        if types and func and len(filters) == 2:
            return bool(message.content_type in types and func(message))
        return bool(super()._test_message_handler(message_handler, message))  # type: ignore[no-untyped-call]

    def _notify_command_handlers(
        self, handlers: list[dict[str, Any]], new_messages: list[Any], update_type: str
    ) -> None:
        """Run the first handler that fits, as telebot has it where nothing is set up round it."""
        if self.use_class_middlewares or self.threaded or self.exception_handler is not None:
            super()._notify_command_handlers(handlers, new_messages, update_type)  # type: ignore[no-untyped-call]
            return
        for message in new_messages:
            for handler in handlers:
                if self._test_message_handler(handler, message):
                    run = handler["function"]
                    result = run(message, bot=self) if handler.get("pass_bot") else run(message)
                    if not isinstance(result, ContinueHandling):
                        break

    def infinity_polling(self, *_: Any, **__: Any) -> None:
        """Do nothing: code written for telebot ends with this line, and the bot polls already."""

    polling = infinity_polling


_senders: WeakValueDictionary[str, Client | Outbox] = WeakValueDictionary()
_numbers = itertools.count(1)


def register(sender: Client | Outbox, bot_id: int) -> str:
    """Give the placeholder that stands for the token in telebot, and route it to `sender`."""
    placeholder = f"{bot_id}:placeholder-{next(_numbers)}"
    _senders[placeholder] = sender
    apihelper.CUSTOM_REQUEST_SENDER = _send  # type: ignore[assignment]
    return placeholder


def _send(_verb: str, url: str, **request: Any) -> Answer:
    """Carry a request of telebot to the sender that its placeholder names."""
    base, _, method = url.rpartition("/")
    sender = _senders.get(base.rpartition("/bot")[2])
    if sender is None:
        raise LookupError(
            "this TeleBot belongs to no running client: use the bot that the handler was given"
        )
    params, files = request.get("params"), request.get("files")
    result = sender.call(method, params, files, timeout=request.get("timeout"))
    return Answer(200, {"ok": True, "result": result})
