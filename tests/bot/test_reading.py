"""The reading: a plain text is read as telebot reads it, and the rest by telebot itself."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from telebot import types

from bot import reading
from bot.reading import read

NAMES = {name: st.text() for name in ("last_name", "username")}
PERSON = st.fixed_dictionaries(
    {"id": st.integers(), "is_bot": st.booleans(), "first_name": st.text()},
    optional={**NAMES, "language_code": st.text(), "is_premium": st.booleans()},
)
CHAT = st.fixed_dictionaries(
    {"id": st.integers(), "type": st.sampled_from(["private", "group", "supergroup"])},
    optional={**NAMES, "title": st.text(), "first_name": st.text()},
)
ODD = st.one_of(st.none(), st.text(), st.integers(), st.lists(st.text(), max_size=1))
MESSAGE = st.fixed_dictionaries(
    {
        "message_id": st.integers(),
        "from": PERSON,
        "chat": CHAT,
        "date": st.integers(),
        "text": st.text(),
    }
)


def laid_open(value: Any) -> Any:
    """An object of telebot's with all that is in it, as dictionaries."""
    if isinstance(value, types.JsonDeserializable):
        fields = {name: laid_open(field) for name, field in vars(value).items()}
        return {"type": type(value), **fields}
    return value


def outcome(read: Any) -> Any:
    """What comes of a reading: the fields, or the kind of its exception."""
    try:
        return laid_open(read())
    except Exception as error:  # noqa: BLE001 - telebot raises what it likes
        return type(error)


@given(MESSAGE)
def test_a_plain_text_is_as_telebot_reads_it(message: dict[str, Any]) -> None:
    """Field by field, without telebot having been asked."""
    assert reading._plain(message) is not None
    event, whole = read({"message": message}, "message")
    assert laid_open(event) == laid_open(types.Message.de_json(message)) and whole is None  # type: ignore[no-untyped-call]


@given(MESSAGE, st.data())
def test_whatever_else_comes_is_as_telebot_reads_it(
    message: dict[str, Any], data: st.DataObject
) -> None:
    """With fields missing, more of them, and of other types: the same object, or exception."""
    place = data.draw(st.sampled_from([message, message["from"], message["chat"]]))
    name = data.draw(st.sampled_from([*place, "photo", "entities", "is_forum", "caption"]))
    if data.draw(st.booleans()):
        place.pop(name, None)
    else:
        place[name] = data.draw(ODD)
    theirs = outcome(lambda: types.Message.de_json(message))  # type: ignore[no-untyped-call]
    assert outcome(lambda: read({"message": message}, "message")[0]) == theirs


@pytest.mark.parametrize("name", ["sticker", "entities", "reply_to_message"])
def test_what_holds_an_object_is_left_to_telebot(name: str) -> None:
    """The mould is for texts alone."""
    person = {"id": 1, "is_bot": False, "first_name": "A"}
    chat = {"id": 1, "type": "private"}
    message = {"message_id": 1, "from": person, "chat": chat, "date": 1, "text": "x", name: []}
    assert reading._plain(message) is None


def test_two_messages_share_nothing() -> None:
    """What a handler sets on one message is on no other."""
    person = {"id": 1, "is_bot": False, "first_name": "A"}
    chat = {"id": 1, "type": "private"}
    message = {"message_id": 1, "from": person, "chat": chat, "date": 1, "text": "x"}
    one, other = (read({"message": message}, "message")[0] for _ in range(2))
    one.note = one.from_user.note = "mine"
    assert not hasattr(other, "note") and not hasattr(other.from_user, "note")
