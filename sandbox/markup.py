"""Keyboards under messages and under the input field, checked as Telegram checks them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox.answers import Json, bad
from sandbox.links import WrongLink, check_link
from sandbox.params import Params

LONGEST_DATA = 64
MOST_BUTTONS = 100
LONGEST_MARKUP = 10_000
LONGEST_COPY = 256
SWITCHES = ("resize_keyboard", "is_persistent", "one_time_keyboard", "selective")
REQUESTS = {"request_users", "request_user", "request_chat", "request_managed_bot"}
ACTIONS = {
    "pay",
    "callback_game",
    "switch_inline_query",
    "switch_inline_query_current_chat",
    "switch_inline_query_chosen_chat",
    "login_url",
}


class Unreadable(Exception):
    """A button that cannot be read; the text says why."""


@dataclass(frozen=True, slots=True)
class Markup:
    """What a message carries: an inline keyboard, or something for the input field."""

    inline: Json | None = None
    field: Json | None = None


NONE = Markup()


def read_markup(params: Params, *, only_inline: bool = False) -> Markup:
    """The reply_markup parameter.

    Raises: Refused, in Telegram's words.
    """
    value = params.json("reply_markup", "reply keyboard markup")
    if value is None:
        return NONE
    markup = parse_markup(value)
    if only_inline and markup.field is not None:
        raise bad("inline keyboard expected")
    return markup


def parse_markup(value: Any) -> Markup:
    """A decoded reply_markup; see `read_markup`."""
    if not isinstance(value, dict):
        raise bad("object expected as reply markup")
    if value.get("inline_keyboard") is not None:
        rows = _rows(value["inline_keyboard"], "inline_keyboard", _inline_button)
        return Markup(inline={"inline_keyboard": rows}) if rows else NONE
    if value.get("keyboard") is not None:
        rows = _rows(value["keyboard"], "keyboard", _field_button)
        return Markup(field=_with_switches(value, {"keyboard": rows})) if rows else NONE
    for name in ("remove_keyboard", "force_reply"):
        if _boolean(value, name):
            return Markup(field=_with_switches(value, {name: True}))
    return NONE


def _with_switches(value: Json, markup: Json) -> Json:
    markup.update({name: True for name in SWITCHES if _boolean(value, name)})
    placeholder = value.get("input_field_placeholder")
    if placeholder:
        markup["input_field_placeholder"] = str(placeholder)[:64]
    return markup


def _boolean(value: Json, name: str) -> bool:
    found = value.get(name)
    if found is not None and not isinstance(found, bool):
        raise bad(f'field "{name}" must be of type Boolean')
    return bool(found)


def _rows(value: Any, name: str, read: Callable[[Json], Json]) -> list[list[Json]]:
    label = "inline keyboard button" if name == "inline_keyboard" else "keyboard button"
    owner = "InlineKeyboardMarkup" if name == "inline_keyboard" else "ReplyKeyboardMarkup"
    if not isinstance(value, list):
        raise bad(f'field "{name}" must be of type Array')
    if not all(isinstance(row, list) for row in value):
        raise bad(f'field "{name}" of the {owner} must be an Array of Arrays')
    try:
        rows = [[read(button) for button in row] for row in value if row]
    except Unreadable as error:
        raise bad(f"can't parse {label}: {error}") from None
    if sum(map(len, rows)) > MOST_BUTTONS * (1 if name == "inline_keyboard" else 3):
        raise bad("reply markup is too long")
    if len(json.dumps(rows, ensure_ascii=False).encode()) > LONGEST_MARKUP:
        raise bad("reply markup is too long")
    return rows


def _text(button: Any, name: str, *, owner: str = "InlineKeyboardButton") -> str:
    if not isinstance(button, dict):
        raise Unreadable(f"{owner} must be an Object")
    value = button.get(name)
    if value is None:
        raise Unreadable(f'Can\'t find field "{name}"')
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise Unreadable(f'Field "{name}" must be of type String')
    return value


def _inline_button(button: Any) -> Json:
    text = _text(button, "text")
    if not text.strip():
        raise bad("BUTTON_TEXT_INVALID")
    for name, check in CHECKS.items():
        if button.get(name) not in (None, ""):
            return {"text": text, **_look(button), name: check(button[name])}
    for name in ACTIONS:
        if button.get(name) is not None:
            return _action(button, text, name)
    raise Unreadable("Text buttons are unallowed in the inline keyboard")


def _action(button: Json, text: str, name: str) -> Json:
    if name in ("pay", "callback_game"):
        raise bad("BUTTON_TYPE_INVALID")
    return {"text": text, **_look(button), name: button[name]}


def _look(button: Json) -> Json:
    return {name: button[name] for name in ("style", "icon_custom_emoji_id") if button.get(name)}


def _url(value: Any) -> str:
    try:
        return check_link(str(value))
    except WrongLink as error:
        raise bad(f"inline keyboard button URL '{value}' is invalid: {error}") from None


def _data(value: Any) -> str:
    if not isinstance(value, str):
        raise Unreadable('Field "callback_data" must be of type String')
    if len(value.encode()) > LONGEST_DATA:
        raise bad("BUTTON_DATA_INVALID")
    return value


def _web_app(value: Any, label: str = "inline keyboard button") -> Json:
    url = value.get("url", "") if isinstance(value, dict) else ""
    if not str(url).startswith("https://"):
        raise bad(f"{label} Web App URL '{url}' is invalid: Only HTTPS links are allowed")
    return {"url": url}


def _copy_text(value: Any) -> Json:
    text = value.get("text", "") if isinstance(value, dict) else ""
    if not 1 <= len(str(text)) <= LONGEST_COPY:
        raise bad("BUTTON_COPY_TEXT_INVALID")
    return {"text": text}


CHECKS: dict[str, Callable[[Any], Any]] = {
    "url": _url,
    "callback_data": _data,
    "web_app": _web_app,
    "copy_text": _copy_text,
}


def _field_button(button: Any) -> Json:
    if isinstance(button, str):
        return {"text": button}
    read: Json = {"text": _text(button, "text", owner="KeyboardButton"), **_look(button)}
    if button.get("web_app") is not None:
        return read | {"web_app": _web_app(button["web_app"], "keyboard button")}
    for name in ("request_contact", "request_location"):
        if button.get(name):
            return read | {name: True}
    for name in ("request_poll", *REQUESTS):
        if button.get(name) is not None:
            return read | {name: _request(button[name], name)}
    return read


def _request(value: Any, name: str) -> Any:
    if name in REQUESTS and (not isinstance(value, dict) or value.get("request_id") is None):
        raise Unreadable('Can\'t find field "request_id"')
    return value
