"""Shapes: a valid small update of every kind, and the many ways in which it can be odd."""

from __future__ import annotations

import copy
import inspect
import random
import re
from collections.abc import Iterator
from typing import Any

from telebot import types

USER = {"id": 501, "is_bot": False, "first_name": "Ann", "username": "ann", "language_code": "en"}
BOT = {"id": 77, "is_bot": True, "first_name": "Robot", "username": "robot"}
CHAT = {"id": 501, "type": "private", "first_name": "Ann"}
GROUP = {"id": -900, "type": "supergroup", "title": "Team"}
MESSAGE = {"message_id": 7, "date": 1, "chat": CHAT, "from": USER, "text": "hello"}
POST = {"message_id": 8, "date": 1, "chat": {**GROUP, "type": "channel"}, "text": "news"}
OPTION = {"persistent_id": "o", "text": "a", "voter_count": 1}
ENTITY = {"type": "bold", "offset": 0, "length": 2}
MEMBER = {"user": BOT, "status": "member"}
CHANGE = {"chat": GROUP, "from": USER, "date": 1, "old_chat_member": MEMBER}
ADDRESS = {
    "country_code": "DE",
    "state": "",
    "city": "B",
    "street_line1": "1",
    "street_line2": "",
    "post_code": "1",
}
BOOST = {"boost_id": "b", "add_date": 1, "expiration_date": 2}
SOURCE = {"source": "premium", "user": USER}
THUMB = {"type": "emoji", "emoji": "👍"}
CONNECTION = {"id": "c", "user": USER, "user_chat_id": 501, "date": 1, "is_enabled": True}
QUERY = {"id": "1", "from": USER}

VALID: dict[str, Any] = {
    "message": MESSAGE,
    "edited_message": {**MESSAGE, "edit_date": 2, "entities": [ENTITY]},
    "channel_post": POST,
    "edited_channel_post": {**POST, "edit_date": 2},
    "business_message": {**MESSAGE, "business_connection_id": "c"},
    "edited_business_message": {**MESSAGE, "business_connection_id": "c", "edit_date": 2},
    "guest_message": {**MESSAGE, "guest_query_id": "g"},
    "callback_query": {**QUERY, "chat_instance": "i", "message": MESSAGE, "data": "listener:go"},
    "inline_query": {**QUERY, "query": "cats", "offset": ""},
    "chosen_inline_result": {"result_id": "r", "from": USER, "query": "cats"},
    "shipping_query": {**QUERY, "invoice_payload": "p", "shipping_address": ADDRESS},
    "pre_checkout_query": {
        **QUERY,
        "currency": "EUR",
        "total_amount": 100,
        "invoice_payload": "p",
    },
    "purchased_paid_media": {"from": USER, "paid_media_payload": "p"},
    "poll": {
        "id": "9",
        "question": "?",
        "options": [OPTION],
        "total_voter_count": 1,
        "is_closed": False,
        "is_anonymous": True,
        "type": "regular",
        "allows_multiple_answers": False,
    },
    "poll_answer": {
        "poll_id": "9",
        "user": USER,
        "option_ids": [0],
        "option_persistent_ids": ["o"],
    },
    "my_chat_member": {**CHANGE, "new_chat_member": {"user": BOT, "status": "left"}},
    "chat_member": {**CHANGE, "new_chat_member": {"user": USER, "status": "left"}},
    "chat_join_request": {"chat": GROUP, "from": USER, "user_chat_id": 501, "date": 1},
    "message_reaction": {
        "chat": GROUP,
        "message_id": 7,
        "user": USER,
        "date": 1,
        "old_reaction": [],
        "new_reaction": [THUMB],
    },
    "message_reaction_count": {
        "chat": GROUP,
        "message_id": 7,
        "date": 1,
        "reactions": [{"type": THUMB, "total_count": 1}],
    },
    "chat_boost": {"chat": GROUP, "boost": {**BOOST, "source": SOURCE}},
    "removed_chat_boost": {"chat": GROUP, "boost_id": "b", "remove_date": 1, "source": SOURCE},
    "business_connection": CONNECTION,
    "deleted_business_messages": {
        "business_connection_id": "c",
        "chat": CHAT,
        "message_ids": [1, 2],
    },
    "managed_bot": {"user": USER, "bot": BOT},
    "subscription": {"user": USER, "invoice_payload": "p", "state": "active"},
    "stopped_message_generation": {"chat": CHAT, "draft_id": 3},
}
"""Every kind, with the fields that it cannot be without."""

ODD: list[Any] = [
    *(None, True, 0, -1, 1.5, 2**31, 2**63, -(2**63), 2**70, float("inf"), float("nan")),
    *("", "x", "5", "\0", "a\0b", "\ud800", "\udfff\ud800", "\u202e", "👩‍👩‍👧‍👦", "é" * 3),
    *("x" * 70_000, "👍" * 5_000, "/" * 300, "/ping@" + "a" * 300, "%s {} %(x)s", "';--"),
    *([], [None], [[]], [{}], ["x"], list(range(2_000)), {}, {"id": {}}, {"id": "x"}, {"x": 1}),
    *({"id": 2**64}, {"id": True}, [{"id": 1}], {"": ""}, {"\ud800": "\0"}, {"update_id": 1}),
]
FIELDS = sorted(set(re.findall(r"'([a-z_0-9]+)'", inspect.getsource(types.Message.de_json))))
"""What telebot looks for in a message."""
UNKNOWN = ("brand_new", "x", "message2", "Message", "a" * 32, "a" * 33, "a" * 300, "", "\ud800")


def valid(kind: str) -> dict[str, Any]:
    """A copy of the valid update."""
    return {kind: copy.deepcopy(VALID[kind])}


def odd(dice: random.Random) -> dict[str, Any]:
    """An update with something wrong in it."""
    kind = dice.choice(list(VALID))
    if dice.random() < 0.04:
        name = dice.choice(UNKNOWN)
        return {name: dice.choice([VALID[kind], *ODD])}
    update = valid(kind)
    for _ in range(dice.choice((1, 1, 1, 2, 4))):
        _spoil(update, dice)
    return update


def _spoil(update: dict[str, Any], dice: random.Random) -> None:
    places = [*_places(update)]
    if not places:
        return
    holder, key = dice.choice(places)
    what = dice.random()
    if what < 0.25:
        del holder[key]
    elif what < 0.65:
        holder[key] = copy.deepcopy(dice.choice(ODD))
    elif isinstance(holder[key], dict):
        holder[key][dice.choice(FIELDS)] = copy.deepcopy(dice.choice([*ODD, USER, CHAT, MESSAGE]))
    elif isinstance(holder, dict):
        holder[dice.choice(FIELDS)] = copy.deepcopy(dice.choice([*ODD, USER, CHAT, MESSAGE]))


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in an update: what holds it, and its key."""
    keys = value if isinstance(value, dict) else range(len(value)) if _short(value) else ()
    for key in list(keys):
        yield value, key
        yield from _places(value[key])


def _short(value: Any) -> bool:
    return isinstance(value, list) and len(value) < 5
