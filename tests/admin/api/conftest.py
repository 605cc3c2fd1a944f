"""What tests of the API share: clients that bring a token, and a bot with something in it.

`call`    a client whose token belongs to somebody with a role, and has some scopes (all it may)
`world`   the panel's registry with a plugin, and a few people, events and failures
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import timedelta
from types import ModuleType
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from admin.panel import Panel
from bot.plugin import Plugin
from database import now
from models import AnalyticsEvent, Bot, Failure, Inbox, User
from services import api_tokens, scopes
from services.audit import TERMINAL
from services.scopes import Scope
from staff import Admin, ApiToken, DailyFigure, StaffRole
from tests.admin.conftest import Clock, make_admin

BOT = 7

Call = Callable[..., Any]
"""Makes a Client; what it is answered is looked at freely."""


class Client(FlaskClient):
    """A program that uses the API."""

    secret: str = ""
    row: ApiToken

    def open(self, *arguments: Any, **options: Any) -> Any:
        """Ask with the token, unless the test says otherwise."""
        headers = options.pop("headers", None)
        if headers is None and self.secret:
            headers = {"Authorization": f"Bearer {self.secret}"}
        return super().open(*arguments, headers=headers or {}, **options)


@pytest.fixture
def call(app: Flask, clock: Clock) -> Call:
    """A client with a token."""
    app.test_client_class = Client

    def come(
        role: StaffRole = StaffRole.OWNER, *wanted: Scope, name: str = "deploy", **more: Any
    ) -> Client:
        client = app.test_client()
        assert isinstance(client, Client)
        admin = Admin.get_or_none(Admin.name == role.value) or make_admin(role)
        mine = wanted or scopes.open_to(role)
        client.row, client.secret = api_tokens.create(
            TERMINAL, admin, name, mine, at=clock(), **more
        )
        return client

    return come


@pytest.fixture
def world(panel: Panel, clock: Clock) -> list[User]:
    """Three people, the first of whom has events and failures; a plugin with settings."""
    panel.api_rate = 10_000
    panel.registry.add(make_plugin())
    panel.registry.paths["notes"] = panel.settings.plugins_path[0]
    panel.registry.bind(panel.switches.on, panel.preferences.get)
    Bot.create(id=BOT, username="a_bot", name="A bot")
    people = [
        User.create(telegram_id=100 + number, first_name=name, username=name, created_at=clock())
        for number, name in enumerate(("Ann", "Bob", "Cem"))
    ]
    for number in range(5):
        at = clock() - timedelta(minutes=number)
        data = {"command": "start"} if number else None
        AnalyticsEvent.create(event_type="command", user=people[0], data=data, created_at=at)
    for number in (1, 2):
        make_failure(number)
    DailyFigure.create(day=clock().date(), name="messages", value=12)
    return people


def make_failure(number: int) -> Failure:
    """An update of the first person that failed."""
    over = {"state": "failed", "payload": "{}", "done_at": now()}
    Inbox.create(bot_id=BOT, update_id=number, lane=100, kind="message", **over)
    failure: Failure = Failure.create(
        bot_id=BOT,
        update_id=number,
        plugin="notes",
        handler="note",
        error="KeyError",
        message="'x'",
        traceback="Traceback …",
        fingerprint="f" * 64,
        payload=f'{{"update_id": {number}, "message": {{}}}}',
        user_id=100,
        chat_id=100,
    )
    return failure


def make_plugin() -> Plugin:
    """A plugin that declares one setting of each type, a secret one and the hooks of privacy."""
    module = ModuleType("plugins_of_tests.notes", "Keep notes.")
    sys.modules[module.__name__] = module
    plugin = Plugin(module.__name__)
    plugin.setting("limit", 20, "How many notes.")
    plugin.setting("ratio", 0.5, "How much of them.")
    plugin.setting("loud", True, "Whether to say so.")
    plugin.setting("style", "plain", "How they look.", choices=["plain", "rich"])
    plugin.setting("key", "", "The key of a service.", secret=True)

    @plugin.export_user
    def export(user: User) -> list[str]:
        """Say what is held."""
        return [f"a note of {user.first_name}"]

    @plugin.delete_user
    def delete(user: User) -> int:
        """Erase it."""
        return 1

    return plugin
