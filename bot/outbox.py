"""The outbox: the calls of an atomic handler, kept until what it wrote is committed."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from telebot import TeleBot

from bot.client import Client
from bot.form import encode
from bot.proxy import register

LISTS = {"sendMediaGroup", "copyMessages", "forwardMessages"}
"""Methods whose result is a list."""


class Outbox:
    """Takes the calls of an atomic handler instead of making them, to be made after the commit.

    Methods that only ask (get...) are refused.
    """

    def __init__(self, client: Client) -> None:
        self.bot_id = client.bot_id
        self.calls: list[list[Any]] = []
        """Every call as [method, fields], fit for JSON and for `Client.call`."""
        self._client = client

    def call(
        self,
        method: str,
        params: Mapping[str, Any] | None = None,
        files: Mapping[str, Any] | None = None,
        *,
        timeout: tuple[float, float] | None = None,  # noqa: ARG002 - as Client has it
    ) -> Any:
        """Record the call; its result is not known yet.

        Raises ValueError for files and for methods that only ask: the answer would be waited for
        inside the transaction, which on SQLite keeps everybody from writing.
        """
        if method.startswith("get"):
            raise ValueError(
                f"an atomic handler cannot call {method} and wait for the answer: call it in a"
                " handler or step before, or leave out atomic=True"
            )
        if files:
            raise ValueError(
                "an atomic handler cannot upload files: send a file_id or a URL, or leave out"
                " atomic=True"
            )
        self.calls.append([method, encode(params or {})])
        return [] if method in LISTS else None

    @cached_property
    def telebot(self) -> TeleBot:
        """A TeleBot whose calls are recorded here; it lives no longer than this object."""
        bot = copy.copy(self._client.telebot)
        bot.token = register(self, self.bot_id)
        return bot
