"""The text and the caption of a call, parsed and held to their limits."""

from __future__ import annotations

from sandbox.answers import Json, bad
from sandbox.calls import Call
from sandbox.entities import format_text
from sandbox.links import find_link
from sandbox.spans import units

LONGEST_TEXT = 4096
LONGEST_CAPTION = 1024
PREVIEW_SWITCHES = ("is_disabled", "prefer_small_media", "prefer_large_media", "show_above_text")


def read_text(call: Call) -> Json:
    """The text and entities fields of a message.

    Raises: Refused when the text is empty, too long, or cannot be parsed.
    """
    text = call.params.text("text")
    if not text:
        raise bad("message text is empty")
    text, entities = formatted(
        call, text, call.params.text("parse_mode"), call.params.json("entities", "entities")
    )
    if not text:
        raise bad("text must be non-empty")
    if units(text) > LONGEST_TEXT:
        raise bad("message is too long")
    return with_entities("text", text, entities) | _read_preview(call)


def read_caption(call: Call, values: Json | None = None) -> Json:
    """The caption fields of a message, none when there is no caption.

    `values` is an item of an album; without it the call's own parameters are read.
    """
    if values is None:
        stated = call.params.json("caption_entities", "caption entities")
        caption, mode = call.params.text("caption"), call.params.text("parse_mode")
    else:
        stated = values.get("caption_entities")
        caption, mode = str(values.get("caption") or ""), str(values.get("parse_mode") or "")
    text, entities = formatted(call, caption, mode, stated)
    if units(text) > LONGEST_CAPTION:
        raise bad("message caption is too long")
    return with_entities("caption", text, entities) if text else {}


def _read_preview(call: Call) -> Json:
    """How the first link of a text is shown, if the bot says anything about it."""
    value = call.params.json("link_preview_options", "link preview options")
    if value is None:
        value = {"is_disabled": True} if call.params.flag("disable_web_page_preview") else {}
    if not isinstance(value, dict):
        raise bad("object expected as link preview options")
    for name in PREVIEW_SWITCHES:
        if not isinstance(value.get(name, False), bool):
            raise bad(f'field "{name}" must be of type Boolean')
    options = {name: True for name in PREVIEW_SWITCHES if value.get(name)}
    if value.get("url") and not options.get("is_disabled"):
        if not find_link(str(value["url"])):
            raise bad("WEBPAGE_URL_INVALID")
        options["url"] = value["url"]
    return {"link_preview_options": options} if options else {}


def formatted(call: Call, text: str, mode: str, stated: object) -> tuple[str, list[Json]]:
    """A parsed text with its entities; mentions by id find the people of the sandbox."""
    return format_text(text, mode, stated, people=call.world.users)


def with_entities(name: str, text: str, entities: list[Json]) -> Json:
    """A text or a caption with the field that its entities belong to."""
    fields: Json = {name: text}
    if entities:
        fields["entities" if name == "text" else "caption_entities"] = entities
    return fields
