"""Two bot libraries run their stock echo bots against the sandbox; only the address is ours."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from sandbox.telegram import Telegram
from tests.sandbox.serving import ALICE, TOKEN, serving

BOT = 1_000_000_001
SECONDS = 60.0

TELEBOT = """
    import sys
    import telebot
    from telebot import apihelper
    apihelper.API_URL = f"http://127.0.0.1:{sys.argv[2]}/bot{{0}}/{{1}}"

    bot = telebot.TeleBot(sys.argv[1])

    @bot.message_handler(commands=["start", "help"])
    def send_welcome(message):
        bot.reply_to(message, "Howdy, how are you doing?")

    @bot.message_handler(func=lambda message: True)
    def echo_all(message):
        bot.reply_to(message, message.text)

    bot.infinity_polling()
"""
AIOGRAM = """
    import asyncio
    import sys
    from aiogram import Bot, Dispatcher, html
    from aiogram.client.default import DefaultBotProperties
    from aiogram.client.session.aiohttp import AiohttpSession
    from aiogram.client.telegram import TelegramAPIServer
    from aiogram.enums import ParseMode
    from aiogram.filters import CommandStart
    from aiogram.types import Message

    dp = Dispatcher()

    @dp.message(CommandStart())
    async def command_start_handler(message: Message) -> None:
        await message.answer(f"Hello, {html.bold(message.from_user.full_name)}!")

    @dp.message()
    async def echo_handler(message: Message) -> None:
        try:
            await message.send_copy(chat_id=message.chat.id)
        except TypeError:
            await message.answer("Nice try!")

    async def main() -> None:
        server = TelegramAPIServer.from_base(f"http://127.0.0.1:{sys.argv[2]}")
        bot = Bot(
            token=sys.argv[1],
            session=AiohttpSession(api=server),
            default=DefaultBotProperties(parse_mode=ParseMode.HTML),
        )
        await dp.start_polling(bot)

    asyncio.run(main())
"""


@contextmanager
def running(source: str, port: int) -> Iterator[None]:
    """Run a bot in a process of its own while the block runs."""
    command = [sys.executable, "-c", textwrap.dedent(source), TOKEN, str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as bot:
        try:
            yield
        finally:
            bot.kill()


def wait_for(telegram: Telegram, fits: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The first message of the bot that fits, as the feed tells of it."""
    after = 0
    while happenings := telegram.feed(after, timeout=SECONDS):
        after = happenings[-1]["n"]
        for message in (item["message"] for item in happenings if item["kind"] == "message"):
            if message["from"]["is_bot"] and fits(message):
                found: dict[str, Any] = message
                return found
    raise AssertionError("the bot did not answer")


@pytest.mark.parametrize(
    ("source", "welcome"),
    [(TELEBOT, "Howdy, how are you doing?"), (AIOGRAM, "Hello, Alice!")],
    ids=["pyTelegramBotAPI", "aiogram"],
)
def test_the_stock_echo_bot_runs(source: str, welcome: str) -> None:
    """It starts, polls, welcomes and echoes, with nothing changed but the base URL."""
    telegram = Telegram()
    with serving(telegram) as port, running(source, port):
        telegram.send(BOT, ALICE, ALICE, text="/start")
        wait_for(telegram, lambda message: message["text"] == welcome)
        telegram.send(BOT, ALICE, ALICE, text="Привет, <b>you</b> & me 😀")
        echo = wait_for(telegram, lambda message: message["text"] != welcome)
    assert echo["text"] == "Привет, <b>you</b> & me 😀"
