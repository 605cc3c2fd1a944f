"""A chat told line by line, from the happenings of the feed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from sandbox.answers import Json
from sandbox.rooms import INSIDE

SERVICE = ("new_chat_members", "left_chat_member", "pinned_message")
MEDIA = ("photo", "document")


def tell(happenings: Iterable[Json], bot_id: int, chat_id: int, names: Mapping[int, str]) -> str:
    """What was said and done in a chat, a line each: "Bob: hello", "bot: Hello!"."""
    told = Names(bot_id, names)
    mine = (h for h in happenings if h["bot_id"] == bot_id and h.get("chat_id") == chat_id)
    lines = [line for h in mine if (line := TELLERS.get(h["kind"], _nothing)(h, told))]
    return "\n".join(lines)


class Names:
    """What the people are called; a bot is "bot"."""

    def __init__(self, bot_id: int, names: Mapping[int, str]) -> None:
        self._names = {**names, bot_id: "bot"}

    def of(self, number: int | None) -> str:
        """The name of somebody by their id."""
        return self._names.get(number or 0, "somebody")

    def author(self, message: Json) -> str:
        """Who wrote a message; what is posted in a channel has no author that is told."""
        return self.of(message["from"]["id"]) if "from" in message else "channel"


def text_of(message: Json) -> str:
    """The text of a message, its caption, or the question of its poll."""
    poll = message.get("poll", {}).get("question", "")
    return str(message.get("text") or message.get("caption") or poll)


def labels_of(message: Json) -> list[str]:
    """The labels of the inline buttons under a message."""
    rows = message.get("reply_markup", {}).get("inline_keyboard", ())
    return [button["text"] for row in rows for button in row]


def label_of(message: Json, data: str) -> str:
    """The label of the button that carries this data."""
    rows = message.get("reply_markup", {}).get("inline_keyboard", ())
    found = (b["text"] for row in rows for b in row if b.get("callback_data") == data)
    return str(next(found, data))


def _message(happening: Json, names: Names) -> str:
    message = happening["message"]
    if any(field in message for field in SERVICE):
        return ""
    who, text = names.author(message), _indented(text_of(message))
    media = next((field for field in MEDIA if field in message), "")
    line = f"{who} sends a {media}: {text}".rstrip(": ") if media else f"{who}: {text}"
    labels = labels_of(message)
    return f"{line}\nbuttons: {', '.join(labels)}" if labels else line


def _edit(happening: Json, names: Names) -> str:
    message = happening["message"]
    if "voter_id" in message:
        return ""
    line = f"{names.author(message)} edits: {_indented(text_of(message))}"
    labels = labels_of(message)
    return f"{line}\nbuttons: {', '.join(labels)}" if labels else line


def _press(happening: Json, names: Names) -> str:
    label = label_of(happening["message"], happening["data"])
    return f"{names.of(happening['person_id'])} taps {label}"


def _vote(happening: Json, names: Names) -> str:
    options = happening["message"]["poll"]["options"]
    chosen = ", ".join(options[number]["text"] for number in happening["options"])
    return f"{names.of(happening['person_id'])} votes: {chosen or 'no more'}"


def _answer(happening: Json, _names: Names) -> str:
    return f"toast: {happening['text']}" if happening["text"] else ""


def _reaction(happening: Json, names: Names) -> str:
    emoji = "".join(one.get("emoji", "") for one in happening["reaction"])
    return f"{names.of(happening['actor'])} reacts: {emoji or 'no more'}"


def _members(happening: Json, names: Names) -> str:
    who, old, new = names.of(happening["person_id"]), happening["old"], happening["status"]
    if (old in INSIDE) == (new in INSIDE):
        return f"{who} is {new} now"
    return f"{who} {'joins' if new in INSIDE else 'leaves'}"


def _ask(happening: Json, names: Names) -> str:
    return f"{names.of(happening['person_id'])} asks inline: {happening['query']}"


def _inline(happening: Json, _names: Names) -> str:
    titles = [str(result.get("title") or result.get("id")) for result in happening["results"]]
    return f"results: {', '.join(titles)}"


def _delete(happening: Json, _names: Names) -> str:
    return f"message {happening['message_id']} is deleted"


def _nothing(_happening: Json, _names: Names) -> str:
    return ""


def _indented(text: str) -> str:
    return text.replace("\n", "\n     ")


TELLERS: dict[str, Callable[[Json, Names], str]] = {
    "message": _message,
    "edit": _edit,
    "press": _press,
    "vote": _vote,
    "answer": _answer,
    "reaction": _reaction,
    "members": _members,
    "ask": _ask,
    "inline": _inline,
    "delete": _delete,
}
