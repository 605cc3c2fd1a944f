"""What the chat page may ask: the cast, the chats, their messages, files, and what happens."""

from __future__ import annotations

import io
import json
import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from flask import Flask, Response, jsonify, request, send_file
from flask.typing import ResponseReturnValue

from sandbox.fields import Fields
from sandbox.recording import write_test
from sandbox.roster import Roster
from sandbox.telegram import KNOWN, Fault, Telegram

PAGE_SIZE = 100
CALLS_SHOWN = 200
HEARTBEAT = 5.0
INSIDE = ("creator", "administrator", "member", "restricted")
IMAGES = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
}
FAULT_KINDS = (
    {"kind": "429", "label": "429 Too many requests", "unit": "s"},
    {"kind": "403", "label": "403 Blocked by the user", "unit": ""},
    {"kind": "400", "label": "400 Chat not found", "unit": ""},
    {"kind": "500", "label": "500 Internal server error", "unit": ""},
    {"kind": "502", "label": "502 Bad gateway", "unit": ""},
    {"kind": "slow", "label": "Slow answer", "unit": "s"},
    {"kind": "cut_before", "label": "Cut before the call is carried out", "unit": ""},
    {"kind": "cut_after", "label": "Cut after it, without an answer", "unit": ""},
)
Json = dict[str, Any]


class Views:
    """The GET routes under /app/."""

    def __init__(self, telegram: Telegram, roster: Roster) -> None:
        self._telegram = telegram
        self._roster = roster
        self._boot = secrets.token_hex(8)

    def add_to(self, app: Flask) -> None:
        """Route GET /app/<name of the method> here."""
        reads = (self.state, self.chats, self.history, self.commands, self.faults, self.recording)
        for view in (*reads, self.feed):
            app.add_url_rule(f"/app/{view.__name__}", view.__name__, view)
        app.add_url_rule("/app/file/<file_id>", "file", self.file)

    def state(self) -> ResponseReturnValue:
        """All that the page needs to begin; `boot` names this run of the sandbox."""
        feed = self._telegram.feed(0)
        people = self._telegram.cast()
        calls = [item for item in feed if item["kind"] == "call" or "update" in item]
        bots = self._roster.bots()
        return jsonify(
            boot=self._boot,
            last=feed[-1]["n"] if feed else 0,
            bots=bots,
            people=[{**user, "owner": user == people[0]} for user in people],
            rooms=self._chats(bots[0], people[0]["id"])[1:],
            calls=calls[: -CALLS_SHOWN - 1 : -1],
            methods=sorted(KNOWN.values()),
            fault_kinds=FAULT_KINDS,
            faults=[show_fault(fault) for fault in self._telegram.faults],
        )

    def chats(self) -> ResponseReturnValue:
        """The chats that a person has with a bot."""
        fields = Fields(request.args)
        bots = self._roster.bots()
        bot_id = fields.integer("bot")
        bot = next((bot for bot in bots if bot["id"] == bot_id), bots[0])
        return jsonify(chats=self._chats(bot, fields.integer("person")))

    def history(self) -> ResponseReturnValue:
        """The last messages of a chat, or the last ones before a message."""
        fields = Fields(request.args)
        messages = self._telegram.history(fields.integer("bot"), fields.integer("chat"))
        before = fields.maybe_integer("before")
        if before is not None:
            messages = [message for message in messages if message["message_id"] < before]
        return jsonify(messages=messages[-PAGE_SIZE:], more=len(messages) > PAGE_SIZE)

    def commands(self) -> ResponseReturnValue:
        """What the "/" menu shows to a person in a chat."""
        return jsonify(commands=self._telegram.commands(*Fields(request.args).place()))

    def faults(self) -> ResponseReturnValue:
        """The faults that are switched on."""
        return jsonify(faults=[show_fault(fault) for fault in self._telegram.faults])

    def recording(self) -> ResponseReturnValue:
        """A chat as a test file; without a bot and a chat, that of the newest message."""
        fields, feed = Fields(request.args), self._telegram.feed(0)
        newest = next((item for item in reversed(feed) if item["kind"] == "message"), {})
        bot = fields.maybe_integer("bot") or newest.get("bot_id")
        chat = fields.maybe_integer("chat") or newest.get("chat_id")
        if not bot or not chat:
            return jsonify(error="Nobody has written anything yet."), 404
        return jsonify(test=write_test(feed, bot, chat))

    def file(self, file_id: str) -> ResponseReturnValue:
        """A file; only a real picture is shown by the browser, all else is downloaded."""
        file = self._telegram.file(file_id)
        if file is None:
            return jsonify(error="There is no such file."), 404
        picture = image_type(file.data)
        return send_file(
            io.BytesIO(file.data),
            mimetype=picture or "application/octet-stream",
            as_attachment=picture is None,
            download_name=file.name or "file",
        )

    def feed(self) -> ResponseReturnValue:
        """The stream of happenings (server-sent events), from the last that the page saw."""
        last = request.headers.get("Last-Event-ID") or request.args.get("after") or "0"
        after = Fields({"after": last}).integer("after")
        lines = stream(self._boot, after, self._telegram.feed, self._roster.bots)
        return Response(lines, content_type="text/event-stream; charset=utf-8")

    def _chats(self, bot: Json, person_id: int) -> list[Json]:
        sizes = self._sizes(bot["id"])
        found = self._telegram.chats(bot["id"], person_id)
        return [show_chat(each, bot, sizes) for each in found if each["moved_to"] is None]

    def _sizes(self, bot_id: int) -> Counter[int]:
        """How many people, and the bot, are in each chat."""
        sizes: Counter[int] = Counter()
        for person in self._telegram.cast():
            for each in self._telegram.chats(bot_id, person["id"]):
                sizes[each["chat"]["id"]] += each["status"] in INSIDE
        return sizes


def show_chat(found: Json, bot: Json, sizes: Counter[int]) -> Json:
    """A chat as the page lists it."""
    chat = found["chat"]
    private = chat["type"] == "private"
    return {
        "id": chat["id"],
        "type": chat["type"],
        "title": bot["first_name"] if private else chat["title"],
        "members": sizes[chat["id"]] + (found["bot_status"] in INSIDE),
        "status": found["status"],
        "inside": found["status"] in INSIDE,
        "blocked": found["blocked"],
        "keyboard": found["keyboard"],
        "last": found["last"],
    }


def show_fault(fault: Fault) -> Json:
    """A fault as the page lists it."""
    return {
        "kind": fault.kind,
        "method": fault.method,
        "chat": fault.chat_id,
        "times": fault.times,
        "value": fault.value,
    }


def image_type(data: bytes) -> str | None:
    """The media type of a picture that a browser may show, by its first bytes."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((mime for start, mime in IMAGES.items() if data.startswith(start)), None)


def stream(
    boot: str, after: int, feed: Callable[..., list[Json]], bots: Callable[[], list[Json]]
) -> Iterator[str]:
    """Server-sent events without end: `boot` first, happenings with their number, `bots`."""
    yield f"retry: 1000\nevent: boot\ndata: {boot}\n\n"
    shown: list[Json] = []
    while True:
        items = feed(after, timeout=HEARTBEAT)
        yield "".join(map(_event, items)) or ": nothing new\n\n"
        after = items[-1]["n"] if items else after
        now = bots()
        if now != shown:
            shown = now
            yield f"event: bots\ndata: {json.dumps(now)}\n\n"


def _event(item: Json) -> str:
    return f"id: {item['n']}\ndata: {json.dumps(item, ensure_ascii=False)}\n\n"
