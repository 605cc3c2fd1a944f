"""A message of the bot's: where it goes, its buttons, and how an earlier one is changed."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from bot import rules

if TYPE_CHECKING:
    from telebot import types

    from bot.context import Context

log = logging.getLogger(__name__)

Buttons: TypeAlias = Sequence[Sequence[tuple[str, str]]]
"""Rows of buttons: a label, and what the button sends, or a link that it opens."""

LINKS = ("http://", "https://", "tg://")
GONE = ("message to edit not found", "message can't be edited", "there is no text in the message")
SAME = "message is not modified"


def keyboard(plugin: str, buttons: Buttons | None) -> str | None:
    """The buttons as Telegram takes them; what they send begins with the plugin's name.

    Raises DeclarationError when that has over 64 bytes.
    """
    if not buttons:
        return None
    rows = [[_button(plugin, label, data) for label, data in row] for row in buttons]
    return json.dumps({"inline_keyboard": rows}, ensure_ascii=False)


def _button(plugin: str, label: str, data: str) -> dict[str, str]:
    if data.startswith(LINKS):
        return {"text": label, "url": data}
    return {"text": label, "callback_data": rules.button_data(plugin, data)}


def place(ctx: Context) -> dict[str, Any]:
    """Where an answer goes: the chat, the topic, the business account. Raises RuntimeError."""
    message = ctx.message or ctx.event
    where: dict[str, Any] = {"chat_id": ctx.chat_id}
    if getattr(message, "is_topic_message", None):
        where["message_thread_id"] = getattr(message, "message_thread_id", None)
    if business := getattr(message, "business_connection_id", None):
        where["business_connection_id"] = business
    return where


def demand(ctx: Context, choices: Sequence[str] = ()) -> dict[str, Any]:
    """Answers to tap; and what makes the next message in a group reach the bot: a reply to it."""
    own = {"reply_markup": _choices(choices)} if choices else {}
    if ctx.kind != "message" or ctx.event.chat.type == "private":
        return own
    from telebot.types import ForceReply, ReplyParameters

    reply = ReplyParameters(ctx.event.message_id, allow_sending_without_reply=True)
    return {"reply_markup": ForceReply(selective=True), "reply_parameters": reply, **own}


def _choices(choices: Sequence[str]) -> str:
    """A keyboard of answers, a row each, that goes away when one is tapped."""
    kept = {"one_time_keyboard": True, "resize_keyboard": True, "selective": True}
    return json.dumps({"keyboard": [[{"text": each}] for each in choices], **kept})


def edit(ctx: Context, text: str, options: Mapping[str, Any]) -> types.Message | bool | None:
    """Change the message whose button was tapped; when there is none to change, send another."""
    from telebot.apihelper import ApiTelegramException

    target = _target(ctx)
    if target is None:
        return ctx.reply(text, **options)
    try:
        if getattr(ctx.message, "content_type", "text") == "text":
            return ctx.bot.edit_message_text(text, **target, **options)
        return ctx.bot.edit_message_caption(text, **target, **options)
    except ApiTelegramException as error:
        if SAME in error.description:
            return None
        if ctx.chat is None or not any(reason in error.description for reason in GONE):
            raise
        log.info("a new message instead of an edit: %s", error.description)
        return ctx.reply(text, **options)


def _target(ctx: Context) -> dict[str, Any] | None:
    """The message to change; one that is too old comes with the date 0 and no content."""
    if ctx.kind != "callback_query":
        return None
    if ctx.event.inline_message_id:
        return {"inline_message_id": ctx.event.inline_message_id}
    message = ctx.message
    if message is None or not getattr(message, "date", 0):
        return None
    where = place(ctx)
    where.pop("message_thread_id", None)
    return {**where, "message_id": message.message_id}
