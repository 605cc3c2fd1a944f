"""What people do with messages: write, post, edit, press buttons, ask inline."""

from __future__ import annotations

from collections.abc import Sequence

from sandbox.account import Account
from sandbox.answers import Impossible, Json
from sandbox.cast import Person
from sandbox.delivery import deliver, use_keyboard, without_reply
from sandbox.entities import format_text
from sandbox.files import File
from sandbox.media import picture
from sandbox.queries import Query, ask, open_query
from sandbox.rooms import CHANNEL, Room, Stored
from sandbox.scenes import Scene
from sandbox.spans import units
from sandbox.texts import LONGEST_CAPTION, LONGEST_TEXT, with_entities
from sandbox.world import World

POSTERS = ("creator", "administrator")


def write(scene: Scene, content: Json, *, reply_to: int | None = None) -> Json:
    """A message of a person; the bot hears of it where it may.

    Raises: Impossible when Telegram would not let them write.
    """
    room, person = scene.room, scene.person
    if room.private and room.blocked:
        raise Impossible(f"{person.first_name} has blocked the bot; unblock it first.")
    if room.kind == CHANNEL and room.members.get(person.id) not in POSTERS:
        raise Impossible(f"Only administrators can post in {room.chat['title']}.")
    _check_speech(scene)
    if reply_to is not None:
        target = scene.message(reply_to).json
        content = {"reply_to_message": without_reply(target), **content}
    room.started = True
    use_keyboard(room, person.id)
    stored = deliver(scene.world, room, content, sender=person.user)
    scene.announce(stored)
    room.last_bot = False
    return stored.json


def _check_speech(scene: Scene) -> None:
    """Who was restricted may not write, until the time is over."""
    room, person = scene.room, scene.person
    if room.members.get(person.id) != "restricted":
        return
    if not 0 < room.restricted.get(person.id, 0) <= scene.world.now():
        raise Impossible(f"{person.first_name} may not write in {room.chat['title']} now.")
    room.members[person.id] = "member"


def album(scene: Scene, photos: Sequence[File], caption: str | None) -> list[Json]:
    """A person sends several photos at once; each is a message, the first has the caption."""
    group = {"media_group_id": scene.world.number()}
    contents = [photo_content(scene, photo, None) for photo in photos]
    contents[0] |= caption_content(caption)
    return [write(scene, {**group, **content}) for content in contents]


def text_content(text: str) -> Json:
    """The fields of a text as a person types it.

    Raises: Impossible when it is empty or too long.
    """
    text, entities = format_text(text)
    if not text:
        raise Impossible("A message needs some text.")
    if units(text) > LONGEST_TEXT:
        raise Impossible(f"A message has at most {LONGEST_TEXT} characters.")
    return with_entities("text", text, entities)


def caption_content(caption: str | None) -> Json:
    """The fields of a caption as a person types it, none when there is none.

    Raises: Impossible when it is too long.
    """
    text, entities = format_text(caption or "")
    if units(text) > LONGEST_CAPTION:
        raise Impossible(f"A caption has at most {LONGEST_CAPTION} characters.")
    return with_entities("caption", text, entities) if text else {}


def photo_content(scene: Scene, photo: File, caption: str | None) -> Json:
    """The fields of a photo as a person sends it.

    Raises: Impossible when the file is no picture.
    """
    size = picture(photo.data)
    if size is None:
        raise Impossible(f"{photo.name} is not a picture; send it as a document.")
    shown = scene.world.files.keep_photo(scene.account.id, photo, size)
    return {"photo": shown, **caption_content(caption)}


def document_content(scene: Scene, document: File, caption: str | None) -> Json:
    """The fields of a document as a person sends it."""
    shown = scene.world.files.keep_document(scene.account.id, document)
    return {"document": shown, **caption_content(caption)}


def edit(scene: Scene, message_id: int, text: str) -> Json:
    """A person changes the text, or the caption, of a message of their own.

    Raises: Impossible when it is not theirs.
    """
    stored = scene.message(message_id)
    if stored.sender_id != scene.person.id:
        raise Impossible(f"{scene.person.first_name} did not write message {message_id}.")
    if "text" in stored.json:
        old, content = ("text", "entities"), text_content(text)
    else:
        old, content = ("caption", "caption_entities"), caption_content(text)
    kept = {name: value for name, value in stored.json.items() if name not in old}
    stored.json = {**kept, "edit_date": scene.world.now(), **content}
    if scene.sees(stored.json):
        kind = "edited_channel_post" if scene.room.kind == CHANNEL else "edited_message"
        scene.put(kind, stored.json)
    scene.happen("edit", message=stored.shown())
    return stored.json


def press(scene: Scene, message_id: int, data: str) -> str:
    """A person presses an inline button; the id of the callback query.

    Raises: Impossible when the message has no button with this data.
    """
    stored = scene.message(message_id)
    rows = stored.json.get("reply_markup", {}).get("inline_keyboard", ())
    if not any(button.get("callback_data") == data for row in rows for button in row):
        raise Impossible(f"Message {message_id} has no button with the data {data!r}.")
    query = open_query(scene.world, scene.account, scene.room.id, scene.person.id)
    event: Json = {"id": query.id, "from": scene.person.user, **_pressed(stored)}
    event["chat_instance"] = chat_instance(scene.room)
    scene.put("callback_query", event | {"data": data})
    scene.happen("press", message=stored.shown(), person_id=scene.person.id, data=data)
    return query.id


def chat_instance(room: Room) -> str:
    """The number by which games know a chat."""
    return str(abs(room.id) * 7_919 + 1_000_003)


def ask_inline(world: World, account: Account, person: Person, text: str) -> str:
    """A person types @bot and some text into any chat; the id of the inline query."""
    query = Query(world.number(), person.id, person.id, world.clock(), text)
    ask(account.inline_queries, query)
    event = {"id": query.id, "from": person.user, "query": text, "offset": ""}
    account.queue.put("inline_query", event | {"chat_type": "sender"})
    world.feed.add("ask", account.id, chat_id=person.id, person_id=person.id, query=text)
    return query.id


def choose(scene: Scene, query_id: str, result_id: str) -> Json:
    """A person picks an inline result, which is sent into the chat by way of the bot.

    Raises: Impossible when the bot has given no such result.
    """
    account, person = scene.account, scene.person
    query = account.inline_queries.get(query_id)
    result = query.results.get(result_id) if query else None
    if query is None or result is None:
        raise Impossible(f"The bot has given no result {result_id!r} for this query.")
    content: Json = {"via_bot": account.user, **result["content"]}
    if "reply_markup" in result:
        content["reply_markup"] = result["reply_markup"]
    message = write(scene, content)
    chosen = {"result_id": result_id, "from": person.user, "query": query.text}
    if "reply_markup" in result:
        inline_id = scene.world.number()
        account.inline_messages[inline_id] = (scene.room.id, message["message_id"])
        scene.room.messages[message["message_id"]].inline_id = inline_id
        chosen["inline_message_id"] = inline_id
    account.queue.put("chosen_inline_result", chosen)
    return message


def _pressed(stored: Stored) -> Json:
    if stored.inline_id:
        return {"inline_message_id": stored.inline_id}
    return {"message": stored.json}
