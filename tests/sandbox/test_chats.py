"""What a bot can ask about chats, and its commands in their menus."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.telegram import Place, Telegram
from tests.sandbox.chatting import ALICE, BOB, BOT, CHANNEL, DAN, GROUP, VERA, Bot


def test_get_chat(bot: Bot, telegram: Telegram) -> None:
    """A chat is described with all fields that its type requires."""
    private = bot.ok("getChat", chat_id=ALICE)
    assert private["type"] == "private" and private["active_usernames"] == ["alice"]
    assert set(private["accepted_gift_types"].values()) == {True}
    group = bot.ok("getChat", chat_id=str(GROUP))
    assert group["permissions"]["can_send_messages"] and group["max_reaction_count"] == 11
    assert "permissions" not in bot.ok("getChat", chat_id=CHANNEL)
    telegram.block(BOT, ALICE)
    assert bot.ok("getChat", chat_id=ALICE)["id"] == ALICE
    telegram.member(BOT, GROUP, BOT, "kicked")
    assert bot.error("getChat", chat_id=GROUP) == (
        "Forbidden: bot was kicked from the supergroup chat"
    )


def test_get_chat_member(bot: Bot, telegram: Telegram) -> None:
    """Everybody's standing can be asked for, the bot's own too."""

    def status(chat_id: int, user_id: int) -> Any:
        return bot.ok("getChatMember", chat_id=chat_id, user_id=user_id)["status"]

    telegram.member(BOT, GROUP, DAN, "left")
    assert status(GROUP, ALICE) == "creator"
    assert status(GROUP, BOB) == "member"
    assert status(GROUP, DAN) == "left"
    assert status(CHANNEL, BOT) == "administrator"
    assert status(ALICE, ALICE) == "member"


@pytest.mark.parametrize(
    ("params", "description"),
    [
        ({"chat_id": GROUP}, "invalid user_id specified"),
        ({"chat_id": GROUP, "user_id": 9}, "user not found"),
        ({"chat_id": ALICE, "user_id": BOB}, "member not found"),
        ({"user_id": BOB}, "chat_id is empty"),
    ],
)
def test_get_chat_member_errors(bot: Bot, params: Any, description: str) -> None:
    """Somebody unknown, or elsewhere, has no standing."""
    assert bot.error("getChatMember", **params) == f"Bad Request: {description}"


def test_get_chat_administrators(bot: Bot, telegram: Telegram) -> None:
    """The administrators are listed, the creator first."""
    telegram.member(BOT, GROUP, BOB, "administrator")
    found = bot.ok("getChatAdministrators", chat_id=GROUP)
    assert [(who["user"]["id"], who["status"]) for who in found] == [
        (ALICE, "creator"),
        (BOB, "administrator"),
    ]
    assert found[1]["can_be_edited"] is False
    channel = bot.ok("getChatAdministrators", chat_id=CHANNEL)
    assert [who["user"]["id"] for who in channel] == [ALICE, BOT]
    assert bot.error("getChatAdministrators", chat_id=ALICE) == (
        "Bad Request: there are no administrators in the private chat"
    )


def names(commands: list[dict[str, str]]) -> list[str]:
    """The names of commands."""
    return [command["command"] for command in commands]


def listed(*commands: str) -> list[dict[str, str]]:
    """Commands with a description."""
    return [{"command": command, "description": f"do {command}"} for command in commands]


def test_commands_are_kept_per_scope_and_language(bot: Bot, telegram: Telegram) -> None:
    """Each scope and language has a list of its own, until it is deleted or emptied."""
    assert (
        bot.ok("setMyCommands", commands=[{"command": "/start", "description": "do start"}]) is True
    )
    assert bot.ok("setMyCommands", commands=listed("nachat"), language_code="ru") is True
    assert telegram.feed()[-2]["kind"] == "commands"
    assert bot.ok("getMyCommands") == [{"command": "start", "description": "do start"}]
    assert names(bot.ok("getMyCommands", language_code="ru")) == ["nachat"]
    assert bot.ok("getMyCommands", scope={"type": "all_private_chats"}) == []
    assert bot.ok("deleteMyCommands", language_code="ru") is True
    assert bot.ok("getMyCommands", language_code="ru") == []
    bot.ok("setMyCommands", commands="[]")
    assert bot.ok("getMyCommands") == []


def test_shown_commands(bot: Bot, telegram: Telegram) -> None:
    """The menu shows the list of the narrowest scope, in the person's language first."""

    def shown(chat_id: int, person_id: int) -> list[str]:
        return names(telegram.commands(BOT, chat_id, person_id))

    def put(name: str, language: str = "", **scope: Any) -> None:
        bot.ok("setMyCommands", commands=listed(name), language_code=language, scope=scope)

    assert shown(ALICE, ALICE) == []
    put("all", type="default")
    put("vse", "ru", type="default")
    assert shown(ALICE, ALICE) == ["all"] and shown(VERA, VERA) == ["vse"]
    put("private", type="all_private_chats")
    put("owner", type="chat", chat_id=ALICE)
    assert shown(VERA, VERA) == ["private"] and shown(ALICE, ALICE) == ["owner"]
    put("groups", type="all_group_chats")
    put("chiefs", type="all_chat_administrators")
    assert shown(GROUP, BOB) == ["groups"] and shown(GROUP, ALICE) == ["chiefs"]
    put("here", type="chat", chat_id=GROUP)
    assert shown(GROUP, ALICE) == ["here"]
    put("here_chiefs", type="chat_administrators", chat_id=GROUP)
    put("bob", type="chat_member", chat_id=GROUP, user_id=BOB)
    assert shown(GROUP, ALICE) == ["here_chiefs"] and shown(GROUP, BOB) == ["bob"]


@pytest.mark.parametrize(
    ("params", "description"),
    [
        ({"commands": "{}"}, "expected an Array of BotCommand"),
        ({"commands": [5]}, "can't parse BotCommand: expected an Object"),
        (
            {"commands": [{"command": "a"}]},
            "can't parse BotCommand: Can't find field \"description\"",
        ),
        ({"commands": listed("")}, "command must be non-empty"),
        ({"commands": listed("x" * 33)}, "command length must not exceed 32"),
        ({"commands": listed("Start")}, "BOT_COMMAND_INVALID"),
        ({"commands": listed("no-dash")}, "BOT_COMMAND_INVALID"),
        (
            {"commands": [{"command": "a", "description": " "}]},
            "command description must be non-empty",
        ),
        (
            {"commands": [{"command": "a", "description": "x" * 257}]},
            "command description length must not exceed 256",
        ),
        ({"commands": listed(*["a"] * 101)}, "BOT_COMMANDS_TOO_MUCH"),
        ({"language_code": "english"}, "invalid language code specified"),
        ({"scope": "5"}, "can't parse BotCommandScope: expected an Object"),
        ({"scope": {}}, "can't parse BotCommandScope: Can't find field \"type\""),
        ({"scope": {"type": "x"}}, "can't parse BotCommandScope: Unsupported type specified"),
        ({"scope": {"type": "chat"}}, "chat_id is empty"),
        ({"scope": {"type": "chat", "chat_id": 9}}, "chat not found"),
        (
            {"scope": {"type": "chat_administrators", "chat_id": ALICE}},
            "can't use specified scope in private chats",
        ),
        (
            {"scope": {"type": "chat_member", "chat_id": GROUP, "user_id": 9}},
            "user not found",
        ),
    ],
)
def test_command_errors(bot: Bot, params: Any, description: str) -> None:
    """Commands that Telegram would not show are refused."""
    given = {"commands": listed("start"), **params}
    assert bot.error("setMyCommands", **given) == f"Bad Request: {description}"


def test_places(telegram: Telegram) -> None:
    """A place that is added before a bot comes is there for it."""
    telegram.add_place(Place(-9, "group", "Nine", BOB))
    telegram.send(BOT, -9, BOB, text="hi")
    assert telegram.history(BOT, -9)[0]["chat"] == {"id": -9, "type": "group", "title": "Nine"}
    assert telegram.history(BOT, -10) == []
