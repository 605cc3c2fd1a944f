"""Photos, documents and albums, both ways."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sandbox.files import scale
from sandbox.pictures import measure
from sandbox.telegram import File, Impossible, Telegram
from tests.sandbox.chatting import ALICE, BOT, PHOTO, PNG, TEXT_FILE, Bot, Json

BIG = File("big.bin", b"x" * (20 * 1024 * 1024 + 1))


def png(width: int, height: int) -> bytes:
    """The start of a PNG of a size."""
    return PNG[:16] + width.to_bytes(4, "big") + height.to_bytes(4, "big") + PNG[24:]


def album(*kinds: str) -> tuple[dict[str, File], str]:
    """The files and the media parameter of an album."""
    files = {f"f{n}": PHOTO if kind == "photo" else TEXT_FILE for n, kind in enumerate(kinds)}
    media = [{"type": kind, "media": f"attach://f{n}"} for n, kind in enumerate(kinds)]
    return files, json.dumps(media)


def test_photo_from_the_bot(bot: Bot) -> None:
    """A photo has its sizes, the smallest first, and may be sent again by its file_id."""
    sent = bot.ok(
        "sendPhoto", {"photo": PHOTO}, chat_id=ALICE, caption="*cat*", parse_mode="Markdown"
    )
    assert [(size["width"], size["height"]) for size in sent["photo"]] == [
        (90, 45),
        (320, 160),
        (512, 256),
    ]
    assert sent["caption"] == "cat" and sent["caption_entities"][0]["type"] == "bold"
    again = bot.ok(
        "sendPhoto",
        chat_id=ALICE,
        photo=sent["photo"][0]["file_id"],
        has_spoiler=True,
        show_caption_above_media="1",
        reply_to_message_id=sent["message_id"],
    )
    assert again["photo"] == sent["photo"] and "caption" not in again
    assert again["has_media_spoiler"] and again["show_caption_above_media"]


def test_document_from_the_bot(bot: Bot, telegram: Telegram) -> None:
    """A document keeps its name and type and can be downloaded."""
    files = {"part": TEXT_FILE}
    sent = bot.ok("sendDocument", files, chat_id=ALICE, document="attach://part")["document"]
    assert (sent["file_name"], sent["mime_type"], sent["file_size"]) == (
        "notes.txt",
        "text/plain",
        4,
    )
    file = bot.ok("getFile", file_id=sent["file_id"])
    assert file["file_path"].startswith("documents/") and file["file_path"].endswith(".txt")
    assert file["file_unique_id"] == sent["file_unique_id"]
    assert telegram.file(file["file_path"]) == TEXT_FILE


def test_files_from_people(bot: Bot, telegram: Telegram) -> None:
    """What a person sends reaches the bot with its caption and its files."""
    telegram.send(BOT, ALICE, ALICE, photo=PHOTO, caption="see @bob")
    telegram.send(BOT, ALICE, ALICE, document=TEXT_FILE, reply_to=1)
    photo, document = (update["message"] for update in bot.updates())
    assert photo["caption_entities"][0]["type"] == "mention"
    assert document["reply_to_message"]["text"] == "/start"
    for file_id in (photo["photo"][-1]["file_id"], document["document"]["file_id"]):
        assert bot.ok("getFile", file_id=file_id)["file_id"] == file_id
    with pytest.raises(Impossible, match="not a picture"):
        telegram.send(BOT, ALICE, ALICE, photo=TEXT_FILE)
    with pytest.raises(Impossible, match="at most 1024"):
        telegram.send(BOT, ALICE, ALICE, photo=PHOTO, caption="x" * 1025)


@pytest.mark.parametrize(
    ("method", "params", "file", "description"),
    [
        ("sendPhoto", {}, None, "there is no photo in the request"),
        ("sendDocument", {}, None, "there is no document in the request"),
        ("sendPhoto", {"photo": "attach://none"}, None, "wrong file identifier/HTTP URL specified"),
        ("sendPhoto", {"photo": "nonsense"}, None, "wrong file identifier/HTTP URL specified"),
        ("sendPhoto", {"photo": "http://a.b/c.png"}, None, "failed to get HTTP URL content"),
        ("sendPhoto", {}, File("a.png", b""), "file must be non-empty"),
        ("sendPhoto", {}, TEXT_FILE, "IMAGE_PROCESS_FAILED"),
        ("sendPhoto", {}, BIG, "file is too big"),
        ("sendPhoto", {}, File("a.png", png(9000, 2000)), "PHOTO_INVALID_DIMENSIONS"),
        ("sendPhoto", {}, File("a.png", png(2100, 100)), "PHOTO_INVALID_DIMENSIONS"),
        ("sendPhoto", {"caption": "x" * 1025}, PHOTO, "message caption is too long"),
    ],
)
def test_upload_errors(
    bot: Bot, method: str, params: Json, file: File | None, description: str
) -> None:
    """A file that Telegram would not take is refused."""
    files = {"photo": file} if file else None
    text = bot.error(method, files, chat_id=ALICE, **params)
    assert text == f"Bad Request: {description}"


def test_too_large_a_request(bot: Bot) -> None:
    """More than 50 MB are refused with a 413."""
    huge = File("huge.bin", b"x" * (50 * 1024 * 1024 + 1))
    assert bot.error("sendDocument", {"document": huge}, chat_id=ALICE) == (
        "Request Entity Too Large"
    )


def test_file_ids(bot: Bot, telegram: Telegram) -> None:
    """A file_id is good for its kind and its bot; more than 20 MB cannot be downloaded."""
    document = bot.ok("sendDocument", {"document": BIG}, chat_id=ALICE)["document"]
    assert bot.error("getFile", file_id=document["file_id"]) == "Bad Request: file is too big"
    assert bot.error("sendPhoto", chat_id=ALICE, photo=document["file_id"]) == (
        "Bad Request: can't use file of type Document as Photo"
    )
    other = Bot(telegram, "2:another_token_of_a_bot")
    for stranger, file_id in ((other, document["file_id"]), (bot, "x")):
        assert stranger.error("getFile", file_id=file_id) == (
            "Bad Request: wrong file_id or the file is temporarily unavailable"
        )


def test_album(bot: Bot) -> None:
    """An album is several messages with one media_group_id, captions of their own."""
    files, media = album("photo", "photo")
    items = json.loads(media)
    items[1] |= {"caption": "<b>two</b>", "parse_mode": "HTML"}
    sent = bot.ok("sendMediaGroup", files, chat_id=ALICE, media=items)
    assert len({message["media_group_id"] for message in sent}) == 1
    assert ["caption" in message for message in sent] == [False, True]


@pytest.mark.parametrize(
    ("media", "description"),
    [
        ("{", "can't parse media JSON object"),
        ("{}", "expected an Array of InputMedia"),
        ("[]", "there are no messages to send"),
        ("[5]", "can't parse InputMedia: expected an Object"),
        ("[{}]", "can't parse InputMedia: Can't find field \"type\""),
        ('[{"type": "photo"}]', "there is no photo in the request"),
        ('[{"type": "video"}]', "the sandbox does not simulate media of type video"),
        (album(*["photo"] * 11)[1], "too many messages to send as an album"),
        (album("photo", "document")[1], "document can't be mixed with other media types"),
    ],
)
def test_album_errors(bot: Bot, media: str, description: str) -> None:
    """An album that cannot be sent is refused."""
    files, _ = album("photo", "document")
    text = bot.error("sendMediaGroup", files, chat_id=ALICE, media=media)
    assert text == f"Bad Request: {description}"


def test_edit_media(bot: Bot) -> None:
    """Another file takes the place of a photo, a document or a text."""
    files = {"new": TEXT_FILE}
    media = {"type": "document", "media": "attach://new", "caption": "c"}
    for message in (bot.ok("sendPhoto", {"photo": PHOTO}, chat_id=ALICE), bot.say()):
        edited = bot.ok(
            "editMessageMedia",
            files,
            chat_id=ALICE,
            message_id=message["message_id"],
            media=json.dumps(media),
        )
        assert edited["document"]["file_name"] == "notes.txt" and edited["caption"] == "c"
        assert "photo" not in edited and "text" not in edited
    poll = bot.ok("sendPoll", chat_id=ALICE, question="q", options=["a", "b"])["message_id"]
    assert bot.error("editMessageMedia", files, chat_id=ALICE, message_id=poll, media=media) == (
        "Bad Request: message can't be edited"
    )


def test_file_names_without_a_suffix(bot: Bot) -> None:
    """A file without a suffix has a path without one; a photo's path tells its type."""
    plain = bot.ok("sendDocument", {"document": File("plain", b"x")}, chat_id=ALICE)["document"]
    assert "." not in bot.ok("getFile", file_id=plain["file_id"])["file_path"]
    photo = bot.ok("sendPhoto", {"photo": PHOTO}, chat_id=ALICE)["photo"][-1]
    assert bot.ok("getFile", file_id=photo["file_id"])["file_path"].endswith(".png")


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (png(7, 9), (7, 9)),
        (b"GIF89a\x05\x00\x06\x00", (5, 6)),
        (b"\xff\xd8\xff\xe0\x00\x04ab\xff\xc0\x00\x11\x08\x00\x05\x00\x06", (6, 5)),
        (b"\xff\xd8\xff\xd9\x00\x02", None),
        (b"\xff\xd8\xff", None),
        (b"RIFF0000WEBPVP8X" + bytes(8) + b"\x04\x00\x00\x05\x00\x00", (5, 6)),
        (b"RIFF0000WEBPVP8L" + bytes(5) + b"\x04\x40\x01\x00", (5, 6)),
        (b"RIFF0000WEBPVP8 " + bytes(10) + b"\x05\x00\x06\x00", (5, 6)),
        (b"RIFF0000WEBPXXXX", None),
        (b"GIF89a\x05", None),
        (b"text", None),
    ],
)
def test_measure(data: bytes, size: Any) -> None:
    """The size of a picture is in its first bytes."""
    assert measure(data) == size


def test_scale() -> None:
    """Pictures shrink to Telegram's boxes and never grow."""
    assert scale((50, 40)) == [(50, 40)]
    assert scale((2560, 1280)) == [(90, 45), (320, 160), (800, 400), (1280, 640)]


def test_empty_picture(bot: Bot) -> None:
    """A picture of no width is none."""
    flat = {"photo": File("a.png", png(0, 9))}
    assert bot.error("sendPhoto", flat, chat_id=ALICE) == "Bad Request: PHOTO_INVALID_DIMENSIONS"
