"""Bubbles: messages and threads as the page of conversations and its script show them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import url_for

from services.messages import State
from services.threads import Thread
from staff import Message

PREVIEW = 80
"""Letters of a thread's last message in the list."""


def bubble(message: Message) -> dict[str, Any]:
    """A message."""
    mine = message.state != State.RECEIVED
    author = message.admin if mine else message.user
    told = mine or message.chat_id < 0  # in a private chat it is always the same one
    return {
        "id": message.id,
        "mine": mine,
        "state": message.state,
        "kind": message.kind,
        "text": message.text,
        "at": stamp(message.created_at),
        "by": author.name if author and told else ("the team" if mine else ""),
        "error": message.error or "",
    }


def row(thread: Thread) -> dict[str, Any]:
    """A thread in the list."""
    last = thread.last
    return {
        "url": url_for("conversations.thread", bot_id=thread.bot_id, chat_id=thread.chat_id),
        "name": thread.name,
        "text": preview(last) if last else "",
        "at": stamp(last.created_at) if last else "",
        "unread": thread.unread,
        "taken": thread.taken_by or "",
    }


def preview(message: Message) -> str:
    """The beginning of a message in one line."""
    text = " ".join(message.text.split())[:PREVIEW] or message.kind
    return text if message.state == State.RECEIVED else f"You: {text}"


def stamp(at: datetime) -> str:
    """A time as the page's scripts read it."""
    return f"{at.isoformat(timespec='seconds')}Z"
