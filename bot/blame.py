"""Whose fault an exception of a handler is: the plugin's, Telegram's, or that of who wrote."""

from __future__ import annotations

import traceback

from bot.client import Ambiguous, ApiTelegramException
from bot.hooks import words_of
from outages import CAUSES

BLAMELESS = (
    *("chat not found", "not enough rights", "no rights", "administrator rights", "FORBIDDEN"),
    *("PEER_ID_INVALID", "TOPIC_CLOSED", "upgraded to a supergroup", "query is too old"),
)
"""Refusals of Telegram that are about the chat or the moment, whatever a plugin sends."""

CODES = (401, 403, 409)
"""The same by their codes: the token is refused, the bot is not wanted there, another one polls."""


def is_excused(error: BaseException) -> bool:
    """Whether Telegram is out of order, or refuses what no plugin can help."""
    if not isinstance(error, ApiTelegramException):
        return isinstance(error, Ambiguous)
    code = error.error_code
    if code in CODES or code >= 500:
        return True
    return code == 400 and any(map(words_of(error).count, BLAMELESS))


def blocked_by_user(error: BaseException) -> bool:
    """Whether the person does not want the bot, or is no more."""
    if not isinstance(error, ApiTelegramException) or error.error_code != 403:
        return False
    text = words_of(error)
    return "bot was blocked by the user" in text or "user is deactivated" in text


def let_go(error: BaseException | None) -> None:
    """Free what the failed functions hold, which may be all memory: the rest needs some."""
    for _ in range(CAUSES):  # a plugin may have made a ring of them
        if error is None:
            return
        traceback.clear_frames(error.__traceback__)
        error = error.__context__
