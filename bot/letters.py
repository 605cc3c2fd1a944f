"""Letters: what a person wrote, as the team reads it: its kind, and text or what stands for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.messages import LONGEST, NUMBERS, Received, clean

FILES = ("document", "audio", "video", "animation")
"""Kinds that may have a file name, which is put before the caption."""
PLAIN = ("text", "photo", "voice", "video_note", "story", "live_photo", *FILES)
KINDS: Mapping[str, tuple[str, ...]] = {
    "sticker": ("emoji",),
    "contact": ("first_name", "last_name", "phone_number"),
    "location": ("latitude", "longitude"),
    "venue": ("title", "address"),
    "poll": ("question",),
    "dice": ("emoji", "value"),
    "game": ("title",),
    "successful_payment": ("total_amount", "currency"),
}
"""Other kinds that are kept, and which of their fields say what it is."""
SHORT = {"successful_payment": "payment"}
"""What a kind is called where the column is too short for its name."""


def letter(
    bot_id: int, chat_id: int, user_id: int | None, message: Any, text: str | None = None
) -> Received | None:
    """A message as the team reads it; None for one of Telegram's own, such as "… joined".

    `text` stands in for what was said.
    """
    kind = str(message.content_type)
    if kind not in PLAIN and kind not in KINDS:
        return None
    said = clean(_said(kind, message) if text is None else text)[:LONGEST]
    number = message.message_id if message.chat.id == chat_id else None
    number = number if type(number) is int and 0 < number < NUMBERS else None
    return Received(bot_id, chat_id, user_id, SHORT.get(kind, kind), said, number)


def _said(kind: str, message: Any) -> str:
    content = getattr(message, kind, None)
    if kind == "text":
        return str(content)
    if kind in KINDS:
        told = [getattr(content, name, None) for name in KINDS[kind]]
        return " ".join(str(each) for each in told if each is not None)
    name = getattr(content, "file_name", None) if kind in FILES else None
    return "\n".join(str(each) for each in (name, message.caption) if each)
