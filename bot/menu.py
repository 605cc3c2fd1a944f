"""The command menu: what Telegram offers on "/", kept as the plugins and switches have it."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from typing import Any, Protocol, TypeAlias

from bot.client import Ambiguous, ApiTelegramException
from bot.i18n import Catalogues
from bot.registry import Registry
from bot.rules import HELP_SIZE
from database import current, db
from models import Bot, PluginSwitch, Role, Status, User

log = logging.getLogger(__name__)

Commands: TypeAlias = list[dict[str, str]]
Menus: TypeAlias = dict[str, Commands]
"""Commands by where they are shown: "default:<language>" or "chat:<id>:<language>"."""


class Caller(Protocol):
    """Makes calls for one bot."""

    bot_id: int

    def call(self, method: str, params: Mapping[str, Any] | None = None) -> Any:
        """Call a method of Telegram and give its result."""


class Menu:
    """Tells Telegram the commands, and only what has changed since it was told last.

    Everybody has the commands of a user in the language of their app. A chat has a menu of its
    own where it differs: for people with a role, for those who chose a language, and where
    plugins are switched off.
    """

    def __init__(self, registry: Registry, catalogues: Catalogues) -> None:
        self._registry = registry
        self._catalogues = catalogues

    def sync(self, caller: Caller) -> int:
        """Tell what has changed since it was told last; give the number of calls."""
        told = _told(caller.bot_id)
        return self._tell(caller, self._everywhere() | self._chats(told), told)

    def tell(self, caller: Caller, user: User) -> None:
        """Show a person the commands in their own language, whatever their app speaks."""
        self._tell(caller, self._person(user), _told(caller.bot_id))

    def _everywhere(self) -> Menus:
        return {
            f"default:{suffix}": self._commands(Role.USER, 0, language)
            for suffix, language in self._languages()
        }

    def _chats(self, told: Mapping[str, str]) -> Menus:
        """The menus of the chats that have one of their own, or had one."""
        had = {int(place.split(":")[1]) for place in told if place.startswith("chat:")}
        switched = PluginSwitch.select(PluginSwitch.chat_id).where(PluginSwitch.chat_id != 0)
        chats = had | {switch.chat_id for switch in switched}
        people = User.select().where(
            (User.role != Role.USER.value) | User.telegram_id.in_(sorted(chats)),
            User.status == Status.ACTIVE.value,
        )
        menus: Menus = {}
        for user in people:
            menus |= self._person(user)
        for chat_id in sorted(chats):
            menus |= self._group(chat_id) if chat_id < 0 else {}
        return menus

    def _person(self, user: User) -> Menus:
        chat_id = user.telegram_id
        return {f"chat:{chat_id}:": self._commands(user.role, chat_id, user.language)}

    def _group(self, chat_id: int) -> Menus:
        return {
            f"chat:{chat_id}:{suffix}": self._commands(Role.USER, chat_id, language)
            for suffix, language in self._languages()
        }

    def _languages(self) -> list[tuple[str, str]]:
        """The languages with the codes that Telegram takes; no code stands for all others."""
        default = self._catalogues.default
        others = [code for code in self._catalogues.languages if code != default]
        return [("", default), *((code, code) for code in others)]

    def _commands(self, role: Role, chat_id: int, language: str) -> Commands:
        gettext = self._catalogues.translator(language).gettext
        return [
            {"command": command.name, "description": gettext(command.help)[:HELP_SIZE]}
            for command in self._registry.menu(role, chat_id)
        ]

    def _tell(self, caller: Caller, menus: Menus, told: Mapping[str, str]) -> int:
        """Make the calls that are needed and note them; give their number."""
        new = {place: _fingerprint(commands) for place, commands in menus.items()}
        done = {
            place: mark
            for place, mark in new.items()
            if told.get(place) != mark and _set(caller, place, menus[place])
        }
        if done:
            _note(caller.bot_id, done)
        return len(done)


def _set(caller: Caller, place: str, commands: Commands) -> bool:
    """Make one call; whether it is settled: what Telegram refuses is not tried again."""
    try:
        caller.call("setMyCommands", {**_scope(place), "commands": commands})
    except (ApiTelegramException, Ambiguous) as error:
        log.warning("the command menu %s was not set: %s", place, error)
        return getattr(error, "error_code", 500) in (400, 403)
    return True


def _scope(place: str) -> dict[str, Any]:
    kind, *chat, language = place.split(":")
    scope = {"type": kind, **({"chat_id": int(chat[0])} if chat else {})}
    return {"scope": scope, **({"language_code": language} if language else {})}


def _fingerprint(commands: Commands) -> str:
    text = json.dumps(commands, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _told(bot_id: int) -> dict[str, str]:
    """What Telegram was told last, by place."""
    row = Bot.get_or_none(Bot.id == bot_id)
    return (row.menu if row else None) or {}


def _note(bot_id: int, told: Mapping[str, str]) -> None:
    """Remember what Telegram was told, beside what another thread notes at the same time."""
    with db.atomic():
        current().serialise(bot_id)
        Bot.update(menu={**_told(bot_id), **told}).where(Bot.id == bot_id).execute()
