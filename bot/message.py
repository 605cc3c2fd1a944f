"""A message of the bot's: where it goes, its buttons, and how an earlier one is changed."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from bot import pieces, rules

if TYPE_CHECKING:
    from telebot import TeleBot, types

    from bot.context import Context

log = logging.getLogger(__name__)

Buttons: TypeAlias = Sequence[Sequence[tuple[str, str]]]
"""Rows of buttons: a label, and what the button sends, or a link that it opens."""

LINKS = ("http://", "https://", "tg://")
MEDIA = ("photo", "document", "video", "animation", "audio", "voice")
"""What a reply may carry, its text as the caption; named as in telebot's send_photo and so on."""
SHARED = (
    *("chat_id", "message_thread_id", "business_connection_id"),
    *("disable_notification", "protect_content", "link_preview_options"),
)
"""The options that hold for each of the messages that a long text becomes."""
ANSWERS = {
    "callback_query": "answerCallbackQuery",
    "inline_query": "answerInlineQuery",
    "pre_checkout_query": "answerPreCheckoutQuery",
    "shipping_query": "answerShippingQuery",
}
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
    """Where an answer goes: the chat, the topic, the business account. Raises RuntimeError.

    Who asks to join a chat is answered in their own.
    """
    message = ctx.message or ctx.event
    if ctx.kind == "chat_join_request":
        return {"chat_id": ctx.event.user_chat_id}
    where: dict[str, Any] = {"chat_id": ctx.chat_id}
    if getattr(message, "is_topic_message", None):
        where["message_thread_id"] = getattr(message, "message_thread_id", None)
    if business := getattr(message, "business_connection_id", None):
        where["business_connection_id"] = business
    return where


def send(bot: TeleBot, text: str, options: dict[str, Any]) -> types.Message:
    """Send a text, with a file if the options hold one; gives the last message.

    What is too long for one message goes on in others: a reply is the first, buttons are under
    the last.
    """
    media = next((kind for kind in MEDIA if kind in options), None)
    if media is None and len(text) <= pieces.SHORT:
        return bot.send_message(text=text, **options)
    first = pieces.CAPTION if media else pieces.LIMIT
    marks = {"parse_mode": options.pop("parse_mode", None)}
    parts = pieces.split(text, **marks, entities=options.pop("entities", None), first=first)
    markup = options.pop("reply_markup", None)
    shared = {name: value for name, value in options.items() if name in SHARED}
    for number, part in enumerate(parts, start=1):
        under = {"reply_markup": markup if number == len(parts) else None}
        sent = _send_part(bot, part, media if number == 1 else None, {**options, **under})
        options = shared
    return sent


def _send_part(
    bot: TeleBot, part: pieces.Piece, media: str | None, options: dict[str, Any]
) -> types.Message:
    options["parse_mode"] = part.parse_mode
    if media is None:
        marks: Any = part.entities
        return bot.send_message(text=part.text, entities=marks, **options)
    told = {"caption": part.text or None, "caption_entities": part.entities}
    sent: types.Message = getattr(bot, f"send_{media}")(**told, **options)
    return sent


def send_ahead(ctx: Context, text: str) -> str:
    """Send all of a long plain text but its last piece, which is given back."""
    *ahead, last = pieces.split(text)
    for part in ahead:
        ctx.caller.call("sendMessage", {**place(ctx), "text": part.text})
    return last.text


def answer(ctx: Context, given: Any, options: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The method that answers a query, and its parameters. Raises RuntimeError where none came."""
    if ctx.kind not in ANSWERS:
        raise RuntimeError("answer() is for buttons and queries: use reply() for a message.")
    method = ANSWERS[ctx.kind]
    params = {f"{ctx.kind}_id": ctx.event.id, **options}
    if ctx.kind == "callback_query":
        return method, {"text": given or None, **params}
    if ctx.kind == "inline_query":
        results = [_result(number, each) for number, each in enumerate(given or ())]
        return method, {"results": results, **params}
    return method, {"ok": not given, "error_message": given or None, **params}


def _result(number: int, given: Any) -> Any:
    """An inline result: one of telebot's, or a title and the text that it stands for."""
    if not isinstance(given, tuple):
        return given if isinstance(given, Mapping) else given.to_dict()
    title, text = given
    content = {"message_text": text}
    return {"type": "article", "id": str(number), "title": title, "input_message_content": content}


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
