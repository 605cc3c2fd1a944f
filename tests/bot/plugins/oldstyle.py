"""A module in telebot's plain style."""

from __future__ import annotations

from typing import Any


def register(bot: Any) -> None:
    """Add handlers to a TeleBot, as any telebot program does."""

    def old(message: Any) -> None:
        bot.reply_to(message, "old style")

    def broken(message: Any) -> None:
        raise KeyError("old")

    def inline(query: Any) -> None:
        bot.answer_inline_query(query.id, [])

    bot.message_handler(commands=["old"])(old)
    bot.inline_handler(func=lambda query: True)(inline)
    bot.message_handler(func=lambda message: message.text == "break")(broken)
