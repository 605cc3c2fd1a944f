"""sendPhoto, sendDocument, sendMediaGroup, editMessageMedia and getFile."""

from __future__ import annotations

from typing import Any

from sandbox.answers import Json, Refused, bad
from sandbox.calls import Call
from sandbox.delivery import send
from sandbox.edits import change, find_edited
from sandbox.files import File
from sandbox.markup import read_markup
from sandbox.messages import check_kind, read_options
from sandbox.pictures import measure
from sandbox.texts import read_caption

LARGEST_PHOTO = 10 * 1024 * 1024
LARGEST_UPLOAD = 50 * 1024 * 1024
LARGEST_DOWNLOAD = 20 * 1024 * 1024
LONGEST_ALBUM = 10
LONGEST_SIDES = 10_000
NARROWEST = 20
REPLACED = (
    "text",
    "entities",
    "photo",
    "document",
    "caption",
    "caption_entities",
    "media_group_id",
)
NO_FILE = "wrong file_id or the file is temporarily unavailable"
Size = tuple[int, int]


def send_photo(call: Call) -> Json:
    """A picture to a chat."""
    return _send_file(call, "photo")


def send_document(call: Call) -> Json:
    """A file to a chat."""
    return _send_file(call, "document")


def send_media_group(call: Call) -> list[Json]:
    """An album of photos, or of documents."""
    items = call.params.json("media", "media")
    if not isinstance(items, list):
        raise bad("expected an Array of InputMedia")
    if not items:
        raise bad("there are no messages to send")
    if len(items) > LONGEST_ALBUM:
        raise bad("too many messages to send as an album")
    contents = [_read_item(call, item) for item in items]
    if len({"photo" in content for content in contents}) > 1:
        raise bad("document can't be mixed with other media types")
    room = call.room()
    shared = {**read_options(call, room), "media_group_id": call.world.number()}
    return [send(call, room, {**shared, **content}) for content in contents]


def edit_message_media(call: Call) -> Json | bool:
    """Another photo or document in place of what a message has."""
    content = _read_item(call, call.params.json("media", "input media"))
    room, stored = find_edited(call)
    if "poll" in stored.json:
        raise bad("message can't be edited")
    return change(call, room, stored, REPLACED, content)


def get_file(call: Call) -> Json:
    """Where to download a file that the bot has seen."""
    kept = call.world.files.find(call.params.text("file_id"))
    if kept is None or kept.bot_id != call.account.id or kept.path == call.params.text("file_id"):
        raise bad(NO_FILE)
    if len(kept.file.data) > LARGEST_DOWNLOAD:
        raise bad("file is too big")
    return kept.describe()


def picture(data: bytes) -> Size | None:
    """The size of a picture that Telegram would take as a photo, None for anything else."""
    size = measure(data)
    if size is None or min(size) < 1:
        return None
    fits = sum(size) <= LONGEST_SIDES and max(size) <= NARROWEST * min(size)
    return size if fits else None


def _send_file(call: Call, kind: str) -> Json:
    content = {kind: _read_file(call, kind, call.params.text(kind), call.params.files.get(kind))}
    content |= read_caption(call)
    if kind == "photo" and call.params.flag("has_spoiler"):
        content["has_media_spoiler"] = True
    if call.params.flag("show_caption_above_media"):
        content["show_caption_above_media"] = True
    markup = read_markup(call.params)
    room = call.room()
    check_kind(room, markup.field)
    return send(call, room, {**read_options(call, room), **content}, markup)


def _read_item(call: Call, item: Any) -> Json:
    """A message's content from an InputMedia object."""
    if not isinstance(item, dict):
        raise bad("can't parse InputMedia: expected an Object")
    kind = item.get("type")
    if kind is None:
        raise bad("can't parse InputMedia: Can't find field \"type\"")
    if kind not in ("photo", "document"):
        raise bad(f"the sandbox does not simulate media of type {kind}")
    shown = _read_file(call, kind, str(item.get("media") or ""), None)
    return {kind: shown, **read_caption(call, item)}


def _read_file(call: Call, kind: str, named: str, upload: File | None) -> Any:
    """The photo or document that a parameter holds: an upload, an attached part, or a file_id.

    Raises: Refused, in Telegram's words.
    """
    if upload is None and named.startswith("attach://"):
        upload = call.params.files.get(named.removeprefix("attach://"))
    if upload is not None:
        return _read_upload(call, kind, upload)
    if not named:
        raise bad(f"there is no {kind} in the request")
    if named.startswith(("http://", "https://")):
        raise bad("failed to get HTTP URL content")
    kept = call.world.files.find(named)
    if kept is None or kept.bot_id != call.account.id or kept.path == named:
        raise bad("wrong file identifier/HTTP URL specified")
    if kept.kind != kind:
        raise bad(f"can't use file of type {kept.kind.title()} as {kind.title()}")
    return kept.shown


def _read_upload(call: Call, kind: str, upload: File) -> Any:
    size = len(upload.data)
    if size > LARGEST_UPLOAD:
        raise Refused(413, "Request Entity Too Large")
    if not size:
        raise bad("file must be non-empty")
    if kind == "document":
        return call.world.files.keep_document(call.account.id, upload)
    if size > LARGEST_PHOTO:
        raise bad("file is too big")
    if measure(upload.data) is None:
        raise bad("IMAGE_PROCESS_FAILED")
    sides = picture(upload.data)
    if sides is None:
        raise bad("PHOTO_INVALID_DIMENSIONS")
    return call.world.files.keep_photo(call.account.id, upload, sides)
