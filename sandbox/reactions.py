"""Reactions to messages: setMessageReaction, and what people put under the bot's messages."""

from __future__ import annotations

from typing import Any

from sandbox.answers import Impossible, Json, bad
from sandbox.calls import Call
from sandbox.scenes import Scene

REACTIONS = (
    "👍 👎 ❤ 🔥 🥰 👏 😁 🤔 🤯 😱 🤬 😢 🎉 🤩 🤮 💩 🙏 👌 🕊 🤡 🥱 🥴 😍 🐳 ❤\u200d🔥 🌚 "
    "🌭 💯 🤣 ⚡ 🍌 🏆 💔 🤨 😐 🍓 🍾 💋 🖕 😈 😴 😭 🤓 👻 👨\u200d💻 👀 🎃 🙈 😇 😨 🤝 ✍ "
    "🤗 🫡 🎅 🎄 ☃ 💅 🤪 🗿 🆒 💘 🙉 🦄 😘 💊 🙊 😎 👾 🤷\u200d♂ 🤷 🤷\u200d♀ 😡"
)
EMOJI = frozenset(REACTIONS.split())


def set_message_reaction(call: Call) -> bool:
    """The bot's reaction to a message; an empty list takes it back."""
    chosen = _read(call.params.json("reaction", "reaction types"))
    room = call.room()
    stored = call.message(room, "react")
    if chosen:
        stored.reactions[call.account.id] = chosen
    else:
        stored.reactions.pop(call.account.id, None)
    call.note(room, stored.json)
    message_id = stored.json["message_id"]
    call.happen("reaction", room, message_id=message_id, actor=call.account.id, reaction=chosen)
    return True


def react(scene: Scene, message_id: int, emoji: str | None) -> None:
    """A person's reaction; None takes it back. The bot hears of it if it asked to and may.

    Raises: Impossible for an emoji that is no reaction.
    """
    stored = scene.message(message_id)
    emoji = emoji.replace("\ufe0f", "") if emoji else None
    if emoji is not None and emoji not in EMOJI:
        raise Impossible(f"{emoji} is not among the reactions.")
    person, room = scene.person, scene.room
    new: list[Json] = [{"type": "emoji", "emoji": emoji}] if emoji else []
    old = stored.reactions.pop(person.id, [])
    if new:
        stored.reactions[person.id] = new
    if old != new and (room.private or room.bot_status == "administrator"):
        event = {"chat": room.chat, "message_id": message_id, "user": person.user}
        event |= {"date": scene.world.now(), "old_reaction": old, "new_reaction": new}
        scene.put("message_reaction", event)
    scene.happen("reaction", message_id=message_id, actor=person.id, reaction=new)


def _read(value: Any) -> list[Json]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise bad("expected an Array of ReactionType")
    if len(value) > 1:
        raise bad("REACTIONS_TOO_MANY")
    return [_read_one(item) for item in value]


def _read_one(item: Any) -> Json:
    if not isinstance(item, dict):
        raise bad("can't parse ReactionType: expected an Object")
    kind = item.get("type")
    if kind not in ("emoji", "custom_emoji", "paid"):
        raise bad("can't parse ReactionType: invalid reaction type specified")
    emoji = str(item.get("emoji", "")).replace("\ufe0f", "")
    if kind != "emoji" or emoji not in EMOJI:
        raise bad("REACTION_INVALID")
    return {"type": "emoji", "emoji": emoji}
