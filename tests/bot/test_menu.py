"""The command menu: by language, role and switch, and told only when it has changed."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from telebot.apihelper import ApiTelegramException

from bot import Context, Plugin
from bot.answer import Answer
from bot.client import Ambiguous
from bot.i18n import Catalogues
from bot.menu import Menu
from bot.registry import Registry
from database import Database
from models import Bot, Language, Role, Status, User
from services import users
from services.plugins import Preferences, Switches

GROUP = -100


class Caller:
    """Keeps what it is told as Telegram would: the commands by scope and language."""

    bot_id = 42

    def __init__(self) -> None:
        self.menus: dict[tuple[str, int, str], list[str]] = {}
        self.texts: dict[tuple[str, int, str], list[str]] = {}
        self.count = 0
        self.errors: dict[int, Exception] = {}

    def call(self, method: str, params: Mapping[str, Any] | None = None) -> bool:
        assert method == "setMyCommands" and params is not None
        self.count += 1
        scope = params["scope"]
        chat_id = scope.get("chat_id", 0)
        if error := self.errors.get(chat_id):
            raise error
        key = (scope["type"], chat_id, params.get("language_code", ""))
        self.menus[key] = [command["command"] for command in params["commands"]]
        self.texts[key] = [command["description"] for command in params["commands"]]
        return True


def refusal(code: int) -> ApiTelegramException:
    body = {"ok": False, "error_code": code, "description": "Bad Request: chat not found"}
    return ApiTelegramException("setMyCommands", Answer(code, body), body)  # type: ignore[no-untyped-call]


class World:
    def __init__(self) -> None:
        self.registry = Registry()
        help_, notes = Plugin("help"), Plugin("notes")

        @help_.command("help")
        def show(ctx: Context) -> None:
            """See what I can do."""

        @notes.command("note", "n")
        def note(ctx: Context) -> None:
            """Keep a note."""

        @notes.command("purge", role="admin")
        def purge(ctx: Context) -> None:
            """Delete everybody's notes."""

        for plugin in (help_, notes):
            self.registry.add(plugin)
        self.switches = Switches()
        self.registry.bind(self.switches.on, Preferences().get)
        self.menu = Menu(self.registry, Catalogues([Path("locales")]))
        self.caller = Caller()
        Bot.create(id=42, username="steady_bot", name="Steady")

    def sync(self) -> int:
        """Sync, and give the number of calls that it took."""
        before = self.caller.count
        self.menu.sync(self.caller)
        return self.caller.count - before

    def person(self, telegram_id: int, **values: Any) -> User:
        return User.create(telegram_id=telegram_id, first_name="P", **values)


@pytest.fixture
def world(database: Database) -> World:
    return World()


def test_everybody_has_a_menu_in_each_language(world: World) -> None:
    """The default language without a code, the others with theirs; aliases stay out."""
    world.sync()
    assert world.caller.menus == {
        ("default", 0, ""): ["help", "note"],
        ("default", 0, "ru"): ["help", "note"],
    }
    assert world.caller.texts["default", 0, ""] == ["See what I can do.", "Keep a note."]
    assert world.caller.texts["default", 0, "ru"] == ["Узнать, что я умею.", "Записать заметку."]


def test_the_default_language_is_the_one_for_all_others(world: World) -> None:
    """With Russian as the default, English has the code."""
    world.menu = Menu(world.registry, Catalogues([Path("locales")], default="ru"))
    world.sync()
    assert world.caller.texts["default", 0, ""][0] == "Узнать, что я умею."
    assert world.caller.texts["default", 0, "en"][0] == "See what I can do."


def test_only_what_changed_is_told(world: World) -> None:
    """A second look tells nothing, in a later process neither; a switch tells what it changes."""
    assert world.sync() == 2
    assert world.sync() == 0
    assert len(Bot.get_by_id(42).menu) == 2
    world.switches.set("notes", enabled=False)
    assert world.sync() == 2
    assert set(map(tuple, world.caller.menus.values())) == {("help",)}
    world.switches.set("notes", enabled=True)
    assert world.sync() == 2
    assert world.caller.menus["default", 0, ""] == ["help", "note"]


def test_roles_have_a_menu_of_their_own(world: World) -> None:
    """In their private chat, in their language, with all that they may use, as roles change."""
    world.person(1, role=Role.ADMIN, language=Language.RU)
    world.person(2, role=Role.MODERATOR)
    world.person(3)
    world.person(4, role=Role.OWNER, status=Status.BLOCKED)
    world.sync()
    assert world.caller.menus["chat", 1, ""] == ["help", "note", "purge"]
    assert world.caller.texts["chat", 1, ""][0] == "Узнать, что я умею."
    assert world.caller.menus["chat", 2, ""] == ["help", "note"]
    assert not {("chat", 3, ""), ("chat", 4, "")} & world.caller.menus.keys()
    users.set_role(User.get(telegram_id=1), Role.USER)
    users.set_role(User.get(telegram_id=3), Role.ADMIN)
    assert world.sync() == 2
    assert world.caller.menus["chat", 1, ""] == ["help", "note"]
    assert world.caller.menus["chat", 3, ""] == ["help", "note", "purge"]


def test_a_switch_in_one_chat_changes_its_menu(world: World) -> None:
    """A group has it in every language, a person in their own; and back again."""
    world.person(3, language=Language.RU)
    world.switches.set("notes", enabled=False, chat_id=GROUP)
    world.switches.set("notes", enabled=False, chat_id=3)
    world.sync()
    assert world.caller.menus["chat", GROUP, ""] == world.caller.menus["chat", GROUP, "ru"]
    assert world.caller.menus["chat", GROUP, ""] == ["help"]
    assert world.caller.menus["chat", 3, ""] == ["help"]
    assert world.caller.menus["default", 0, ""] == ["help", "note"]
    world.switches.set("notes", enabled=True, chat_id=GROUP)
    assert world.sync() == 2
    assert world.caller.menus["chat", GROUP, "ru"] == ["help", "note"]


def test_a_person_who_chose_a_language_keeps_a_menu(world: World) -> None:
    """Told at once, and again whenever it changes."""
    user = world.person(3, language=Language.RU)
    world.menu.tell(world.caller, user)
    assert world.caller.texts["chat", 3, ""] == ["Узнать, что я умею.", "Записать заметку."]
    world.sync()
    before = world.caller.count
    world.menu.tell(world.caller, user)
    assert world.caller.count == before
    world.switches.set("notes", enabled=False)
    world.sync()
    assert world.caller.menus["chat", 3, ""] == ["help"]


def test_a_refused_menu_stops_nothing_and_is_left(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """A chat that Telegram does not know is logged once; the others are told."""
    world.switches.set("notes", enabled=False, chat_id=GROUP)
    world.caller.errors[GROUP] = refusal(400)
    with caplog.at_level(logging.WARNING):
        assert world.sync() == 4
        assert world.sync() == 0
    assert ("default", 0, "") in world.caller.menus
    assert len(caplog.records) == 2 and f"chat:{GROUP}: was not set" in caplog.text


@pytest.mark.parametrize("error", [Ambiguous("cut"), refusal(500)])
def test_a_menu_that_did_not_get_through_is_told_again(world: World, error: Exception) -> None:
    """Next time, without those that were taken."""
    world.caller.errors[0] = error
    world.person(1, role=Role.ADMIN)
    assert world.sync() == 3
    world.caller.errors.clear()
    assert world.sync() == 2
    assert world.sync() == 0


def test_a_bot_that_is_not_kept_yet_is_told_each_time(world: World) -> None:
    """Without its row there is no memory, and no error."""
    Bot.delete().execute()
    assert world.sync() == world.sync() == 2


def test_an_empty_bot_has_an_empty_menu(world: World) -> None:
    """With every plugin off Telegram is told that there is nothing."""
    for name in ("help", "notes"):
        world.switches.set(name, enabled=False)
    world.sync()
    assert world.caller.menus["default", 0, ""] == []


def test_the_memory_is_small(world: World) -> None:
    """A few letters for each menu, however long it is."""
    world.sync()
    assert len(json.dumps(Bot.get_by_id(42).menu)) < 80
