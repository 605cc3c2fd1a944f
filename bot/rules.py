"""What a plugin may declare: each check raises a sentence that says how to mend the mistake."""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from models import Language, Role

MESSAGES = (
    "message",
    "edited_message",
    "channel_post",
    "edited_channel_post",
    "business_message",
    "edited_business_message",
    "guest_message",
)
"""The update kinds that are a message."""

KINDS = (
    *MESSAGES,
    "callback_query",
    "inline_query",
    "chosen_inline_result",
    "shipping_query",
    "pre_checkout_query",
    "purchased_paid_media",
    "poll",
    "poll_answer",
    "my_chat_member",
    "chat_member",
    "chat_join_request",
    "message_reaction",
    "message_reaction_count",
    "chat_boost",
    "removed_chat_boost",
    "business_connection",
    "deleted_business_messages",
    "managed_bot",
    "subscription",
    "stopped_message_generation",
)
"""Every kind of update of Bot API 10.3."""

CHAT_TYPES = ("private", "group", "supergroup", "channel")

RESERVED = "core"
"""Whose migrations and catalogues are not a plugin's."""

DATA_SIZE = 64
"""Bytes that Telegram lets a button carry."""
HELP_SIZE = 256
"""Letters that Telegram lets a command's description have."""

ARROW = "→"
"""What stands between the two sides of an example."""
CATEGORY_SIZE = 48
"""Bytes of "plugin.category" that a button carries beside what it does."""
LABEL_SIZE = 60
"""Letters that are still read on a button."""

SETTING_TYPES = (bool, int, float, str)
MASK = "•••"
"""What is shown instead of a secret."""

_PLUGIN = re.compile(r"[a-z][a-z0-9_]{0,31}")
_COMMAND = re.compile(r"[a-z0-9_]{1,32}")
_CRON = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_CRON_PART = re.compile(r"(?:\*|(\d{1,2})(?:-(\d{1,2}))?)(?:/([1-9]\d?))?")
_TEXT_FILTERS = ("content_types", "regexp", "chat_types", "func")


class DeclarationError(Exception):
    """A plugin declares what cannot be; the sentence says how to mend it.

    `line` is where, when the mistake was not made by the line that ran.
    """

    def __init__(self, sentence: str, *, line: int | None = None) -> None:
        super().__init__(sentence)
        self.line = line


def plugin_name(name: str) -> str:
    """The name, when it can stand in a table's name and before a button's data."""
    if not _PLUGIN.fullmatch(name):
        raise DeclarationError(
            f"{name!r} cannot be a plugin's name: name the file with 1 to 32 of a-z, 0-9 and _,"
            " a letter first."
        )
    if name == RESERVED:
        raise DeclarationError(f"{name!r} is what the bot calls itself: rename the file.")
    return name


def command_name(name: str) -> str:
    """The name, when Telegram takes it for a command."""
    if not _COMMAND.fullmatch(name):
        better = re.sub(r"[^a-z0-9_]+", "_", name.lower()).strip("_")[:32]
        remedy = f", such as {better!r}" if better else ""
        raise DeclarationError(
            f"{name!r} cannot be a command: use 1 to 32 of a-z, 0-9 and _, without the /{remedy}."
        )
    return name


def one_of(what: str, word: str, words: Collection[str]) -> str:
    """The word, when it is one of the words; else the nearest of them is offered."""
    if word in words:
        return word
    near = difflib.get_close_matches(str(word), words, n=1, cutoff=0.5)
    remedy = f"did you mean {near[0]!r}?" if near else f"use one of {', '.join(words)}."
    raise DeclarationError(f"{word!r} is no {what}: {remedy}")


def role_named(name: str) -> Role:
    """The role of this name. Raises DeclarationError."""
    return Role(one_of("role", name, [role.value for role in Role]))


def language_named(code: str) -> Language:
    """The language of this code. Raises DeclarationError."""
    return Language(one_of("language", code, [language.value for language in Language]))


def function(func: Callable[..., Any]) -> str:
    """The name of a handler, when it takes a ctx and nothing else, and is no coroutine."""
    name = getattr(func, "__name__", "")
    if not name.isidentifier():
        raise DeclarationError("A handler needs a name: write it with def.")
    if inspect.iscoroutinefunction(func):
        raise DeclarationError(f"{name}() is async, handlers are plain: write def {name}(ctx).")
    parameters = list(inspect.signature(func).parameters.values())
    plain = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    if len(parameters) != 1 or parameters[0].kind not in plain:
        raise DeclarationError(
            f"{name}() must take exactly one argument, the ctx: write def {name}(ctx)."
        )
    return name


def help_text(func: Callable[..., Any]) -> str:
    """The first line of a command's docstring, which users read in /help and in the menu."""
    text = (inspect.getdoc(func) or "").strip().partition("\n")[0].strip()
    if not text:
        raise DeclarationError(
            f"{func.__name__}() has no docstring: write one, its first line is the help text."
        )
    if len(text) > HELP_SIZE:
        raise DeclarationError(
            f"The first line of {func.__name__}()'s docstring has {len(text)} letters:"
            f" shorten it to {HELP_SIZE}, it is the help text."
        )
    return text


def examples(func: Callable[..., Any], names: Collection[str]) -> tuple[tuple[str, str], ...]:
    """The examples in a command's docstring, lines such as "/roll 2d6 → You rolled …".

    Each is what is said and what the bot answers.
    """
    lines = [line.strip() for line in (inspect.getdoc(func) or "").splitlines()[1:]]
    found = [line.partition(ARROW) for line in lines if line.startswith("/") and ARROW in line]
    for said, _, _ in found:
        command = said.split()[0].removeprefix("/")
        if command not in names:
            raise DeclarationError(
                f"The example {said.strip()!r} of {func.__name__}() is of another command:"
                f" begin it with /{next(iter(names))}."
            )
    return tuple((said.strip(), answer.strip()) for said, _, answer in found)


def filters(plugin: str, kind: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The filters of a handler, with the ones that go without saying."""
    if "commands" in given:
        raise DeclarationError("commands= is not for on(): use @plugin.command(name) instead.")
    allowed = _filters_of(kind)
    for name in given:
        one_of(f"filter of on({kind!r})", name, allowed)
    chosen = {name: value for name, value in given.items() if value is not None}
    if kind in MESSAGES:
        chosen.setdefault("content_types", ["text"])
    for name, value in chosen.items():
        _CHECKS[name](plugin, name, value)
    return chosen


def _filters_of(kind: str) -> tuple[str, ...]:
    if kind in MESSAGES:
        return _TEXT_FILTERS
    return ("data", "func") if kind == "callback_query" else ("func",)


def _check_words(_plugin: str, name: str, value: Any) -> None:
    words = isinstance(value, list | tuple | set | frozenset) and all(
        isinstance(word, str) for word in value
    )
    if not words or not value:
        raise DeclarationError(f"{name}={value!r} must be a list of texts: write {name}=[…].")
    if name == "chat_types":
        for word in value:
            one_of("chat type", word, CHAT_TYPES)


def _check_regexp(_plugin: str, name: str, value: Any) -> None:
    try:
        re.compile(value)
    except (re.error, TypeError) as error:
        raise DeclarationError(
            f"{name}={value!r} is no regular expression ({error}): mend it, or write it as r'…'."
        ) from None


def _check_func(_plugin: str, name: str, value: Any) -> None:
    if not callable(value):
        raise DeclarationError(f"{name}={value!r} must be a function that takes the event.")


def _check_data(plugin: str, _name: str, value: Any) -> None:
    if not isinstance(value, str):
        raise DeclarationError(f"data={value!r} must be a text: the beginning of the data.")
    button_data(plugin, value)


_CHECKS: dict[str, Callable[[str, str, Any], None]] = {
    "content_types": _check_words,
    "chat_types": _check_words,
    "regexp": _check_regexp,
    "func": _check_func,
    "data": _check_data,
}


def button_data(plugin: str, data: str) -> str:
    """A button's data with the plugin's name before it. Raises DeclarationError over 64 bytes."""
    whole = f"{plugin}:{data}" if plugin else data
    size = len(whole.encode())
    if size > DATA_SIZE:
        raise DeclarationError(
            f"The button data {whole!r} has {size} bytes and Telegram takes {DATA_SIZE}:"
            " put an id there and keep the rest in a table."
        )
    return whole


def setting(
    key: str, default: Any, meaning: str, choices: Collection[Any] | None, *, secret: bool = False
) -> None:
    """Check a setting's declaration."""
    if not key.isidentifier() or len(key) > 64:
        raise DeclarationError(f"{key!r} cannot be a setting's key: write it as a Python name.")
    if type(default) not in SETTING_TYPES:
        raise DeclarationError(
            f"The setting {key!r} has a default of type {type(default).__name__}:"
            " use a bool, int, float or str."
        )
    if not meaning.strip():
        raise DeclarationError(f"The setting {key!r} has no help: say in a sentence what it does.")
    if secret and (default != "" or choices is not None):
        raise DeclarationError(
            f"The secret setting {key!r} must be a text that begins empty: give it the default"
            ' "" and no choices.'
        )
    if choices is None:
        return
    if any(type(choice) is not type(default) for choice in choices):
        raise DeclarationError(f"The choices of {key!r} must be of the default's type.")
    if default not in choices:
        raise DeclarationError(f"The default of {key!r} is none of its choices: add it to them.")


def hook(name: str, func: Callable[..., Any], takes: tuple[str, ...]) -> None:
    """Check that a hook is a plain function that can be called with its arguments."""
    called = getattr(func, "__name__", "")
    form = f"def {called or name}({', '.join(takes)})"
    if inspect.iscoroutinefunction(func) or inspect.isgeneratorfunction(func):
        raise DeclarationError(f"@plugin.{name} takes a plain function: write {form}.")
    try:
        inspect.signature(func).bind(*takes)
    except TypeError:
        raise DeclarationError(f"@plugin.{name} takes a function: write {form}.") from None


def task(func: Callable[..., Any]) -> str:
    """The name of a task, when it takes a ctx first, and is no coroutine."""
    name = getattr(func, "__name__", "")
    if not name.isidentifier() or inspect.iscoroutinefunction(func):
        raise DeclarationError("A task is a plain function: write def name(ctx, ...).")
    if not inspect.signature(func).parameters:
        raise DeclarationError(f"{name}() must take the ctx first: write def {name}(ctx, ...).")
    return name


def schedule(every: float | None, cron: str | None) -> None:
    """Check when a job is to run: one of the two ways, and each possible."""
    if (every is None) == (cron is None):
        raise DeclarationError('A job runs by one clock: write every=3600, or cron="0 9 * * *".')
    if every is not None and (type(every) not in (int, float) or not every >= 1):
        raise DeclarationError(f"every={every!r} must be a number of seconds, 1 or more.")
    if cron is not None and not _is_cron(cron):
        raise DeclarationError(
            f"cron={cron!r} must be five fields: minute, hour, day, month, weekday, such as"
            ' "0 9 * * 1-5".'
        )


def _is_cron(text: object) -> bool:
    fields = text.split() if isinstance(text, str) else []
    return len(fields) == len(_CRON) and all(
        _is_cron_part(part, *bounds)
        for field, bounds in zip(fields, _CRON)
        for part in field.split(",")
    )


def _is_cron_part(part: str, least: int, most: int) -> bool:
    found = _CRON_PART.fullmatch(part)
    numbers = [int(number) for number in found.groups()[:2] if number] if found else [-1]
    return numbers == sorted(numbers) and all(least <= number <= most for number in numbers)


def category(plugin: str, name: str, meaning: str) -> None:
    """Check the declaration of a kind of notices."""
    if not name.isidentifier() or len(f"{plugin}.{name}".encode()) > CATEGORY_SIZE:
        raise DeclarationError(f"{name!r} cannot be a category: write it as a short Python name.")
    if not 0 < len(meaning.strip()) <= LABEL_SIZE:
        raise DeclarationError(
            f"The category {name!r} needs a help of 1 to {LABEL_SIZE} letters: it is on a button."
        )


def no_category(plugin: str, name: str) -> str:
    """What is wrong with a notice whose category nobody declared."""
    return f"{plugin}.{name} is no category: declare it with plugin.category({name!r}, …)."
