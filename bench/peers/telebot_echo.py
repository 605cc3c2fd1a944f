"""The echo bot of pyTelegramBotAPI, with everything at its default."""

from __future__ import annotations

import os

import telebot
from telebot import apihelper, types

apihelper.API_URL = os.environ["TELEGRAM_API_URL"] + "/bot{0}/{1}"  # type: ignore[assignment]
bot = telebot.TeleBot(os.environ["TELEGRAM_BOT_TOKEN"])


@bot.message_handler(func=lambda _message: True)  # type: ignore[untyped-decorator]
def echo(message: types.Message) -> None:
    bot.send_message(message.chat.id, message.text or "")


bot.infinity_polling()
