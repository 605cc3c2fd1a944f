"""What the chat page may do: write, press, react, block, join, and make faults."""

from __future__ import annotations

from typing import Any

from flask import Flask, jsonify, request
from flask.typing import ResponseReturnValue

from sandbox.fields import Fields, Unclear
from sandbox.telegram import File, Telegram
from sandbox.views import show_fault

STATUSES = ("member", "left")


class Deeds:
    """The POST routes under /app/."""

    def __init__(self, telegram: Telegram) -> None:
        self._telegram = telegram

    def add_to(self, app: Flask) -> None:
        """Route POST /app/<name of the method> here."""
        for deed in (
            self.send,
            self.post,
            self.edit,
            self.press,
            self.vote,
            self.react,
            self.block,
            self.member,
            self.fail,
            self.heal,
        ):
            name = deed.__name__
            app.add_url_rule(f"/app/{name}", f"do_{name}", deed, methods=["POST"])

    def send(self) -> ResponseReturnValue:
        """A person writes, with a photo or a document if one was uploaded."""
        fields = _body()
        message = self._telegram.send(
            *fields.place(),
            text=fields.text("text") or None,
            photo=_upload("photo"),
            document=_upload("document"),
            caption=fields.text("caption") or None,
            reply_to=fields.maybe_integer("reply_to"),
        )
        return jsonify(message=message)

    def post(self) -> ResponseReturnValue:
        """The channel's owner posts."""
        fields = _body()
        bot_id, chat_id, _ = fields.place()
        return jsonify(message=self._telegram.post(bot_id, chat_id, fields.text("text")))

    def edit(self) -> ResponseReturnValue:
        """A person edits a message of their own."""
        fields = _body()
        message_id, text = fields.integer("message"), fields.text("text")
        return jsonify(message=self._telegram.edit(*fields.place(), message_id, text))

    def press(self) -> ResponseReturnValue:
        """A person presses an inline button."""
        fields = _body()
        message_id, data = fields.integer("message"), fields.text("data")
        return jsonify(query=self._telegram.press(*fields.place(), message_id, data))

    def vote(self) -> ResponseReturnValue:
        """A person votes in a poll."""
        fields = _body()
        self._telegram.vote(*fields.place(), fields.integer("message"), fields.numbers("options"))
        return _done()

    def react(self) -> ResponseReturnValue:
        """A person reacts to a message; no emoji takes the reaction back."""
        fields = _body()
        emoji = fields.text("emoji") or None
        self._telegram.react(*fields.place(), fields.integer("message"), emoji)
        return _done()

    def block(self) -> ResponseReturnValue:
        """A person blocks the bot, or lets it write again."""
        fields = _body()
        bot_id, _, person_id = fields.place()
        self._telegram.block(bot_id, person_id, fields.flag("blocked"))
        return _done()

    def member(self) -> ResponseReturnValue:
        """A person joins or leaves the group or the channel."""
        fields = _body()
        status = fields.text("status")
        if status not in STATUSES:
            raise Unclear(f"The status must be one of {', '.join(STATUSES)}.")
        self._telegram.member(*fields.place(), status)
        return _done()

    def fail(self) -> ResponseReturnValue:
        """Switch a fault on."""
        fields = _body()
        try:
            self._telegram.fail(
                fields.text("kind"),
                fields.text("method") or "*",
                chat_id=fields.maybe_integer("chat"),
                times=fields.maybe_integer("times"),
                value=fields.maybe_integer("value"),
            )
        except ValueError as error:
            raise Unclear(str(error)) from error
        return jsonify(faults=[show_fault(fault) for fault in self._telegram.faults])

    def heal(self) -> ResponseReturnValue:
        """Switch every fault off."""
        self._telegram.heal()
        return _done()


def _done() -> ResponseReturnValue:
    return jsonify(ok=True)


def _body() -> Fields:
    if request.mimetype == "multipart/form-data":
        return Fields(request.form)
    values: Any = request.get_json(silent=True)
    if not isinstance(values, dict):
        raise Unclear("The body must be a JSON object.")
    return Fields(values)


def _upload(name: str) -> File | None:
    part = request.files.get(name)
    if part is None:
        return None
    return File(part.filename or name, part.read(), part.mimetype or "application/octet-stream")
