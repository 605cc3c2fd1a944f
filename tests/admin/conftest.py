"""What tests of the panel share: an application on each engine, and people signed in to it.

`panel`      what the pages work with, on an open database with empty tables and a clock of its own
`app`        the application
`telegram`   the Telegram that the panel calls
`secure`     a client of a panel in production
`visit`      a client of somebody signed in with a role, or (None) of nobody
"""

from __future__ import annotations

import re
from collections.abc import Callable
from copy import copy
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import pyotp
import pytest
from flask import Flask
from flask.testing import FlaskClient
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from werkzeug.test import TestResponse

from admin.app import create_app
from admin.panel import Panel
from bot.memory import MemoryWire
from bot.registry import Registry
from database import Database, now
from sandbox.telegram import Telegram
from services import passwords, sessions
from services.seals import Seals
from settings import Secret, Settings
from staff import Admin, StaffRole

PASSWORD = "three small words"
KEY = "k" * 32

Visit = Callable[[StaffRole | None], "Browser"]
Secure = Callable[..., "Browser"]


class Clock:
    """A time that stands still until it is moved."""

    def __init__(self) -> None:
        self.at = now()

    def __call__(self) -> datetime:
        return self.at

    def pass_(self, **time: float) -> None:
        """Let time pass, in the words of timedelta."""
        self.at += timedelta(**time)


class Browser(FlaskClient):
    """A client that sends the form's token along, as the pages do."""

    def post_form(self, path: str, page: str | None = None, **fields: Any) -> TestResponse:
        """Post a form that stands on `page` (or on the path itself)."""
        return self.post(path, data={"csrf_token": self.token(page or path), **fields})

    def token(self, page: str = "/login") -> str:
        """The token of a page's forms."""
        text = self.get(page).text
        found = re.search(r'name="csrf[_-]token" (?:value|content)="([^"]+)"', text)
        assert found, f"{page} has no token: {text[:200]}"
        return found[1]


class Compiled(BytecodeCache):
    """Templates that another application of this process has compiled: that takes long."""

    def __init__(self) -> None:
        self._code: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Give what was compiled from the same text."""
        if code := self._code.get(f"{bucket.key}{bucket.checksum}"):
            bucket.bytecode_from_string(code)

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep it."""
        self._code[f"{bucket.key}{bucket.checksum}"] = bucket.bytecode_to_string()


class Stage:
    """An application that the tests of one process share: putting one together takes long.

    Before each test all that it works with is as new; what a test changes of the application itself
    it changes of one of its own (`own_app`).
    """

    def __init__(self, panel: Panel) -> None:
        self.panel = copy(panel)

    def set(self, new: Panel) -> Panel:
        """Everything as new."""
        for each in fields(Panel):
            setattr(self.panel, each.name, getattr(new, each.name))
        return self.panel

    @cached_property
    def app(self) -> Flask:
        """The application."""
        return make_app(self.panel)


COMPILED = Compiled()
CLOCK = Clock()
WIRE = MemoryWire(Telegram())
STAGES: dict[str, Stage] = {}


def put_on(new: Panel, play: str = "") -> Panel:
    """The panel of the application that the tests of one play share, as new."""
    return STAGES.setdefault(play, Stage(new)).set(new)


def make_app(panel: Panel) -> Flask:
    """An application whose errors are answers, as they are to a browser."""
    app = create_app(panel)
    app.jinja_env.bytecode_cache = COMPILED
    app.testing = True
    app.config["PROPAGATE_EXCEPTIONS"] = False
    return app


@pytest.fixture
def clock() -> Clock:
    """The panel's clock."""
    CLOCK.at = now()
    return CLOCK


@pytest.fixture
def telegram() -> Telegram:
    """The Telegram that the panel calls."""
    WIRE.telegram = Telegram()
    return WIRE.telegram


@pytest.fixture
def panel(database: Database, clock: Clock, telegram: Telegram, tmp_path: Path) -> Panel:
    """What the pages work with."""
    settings = Settings(secret_key=Secret(KEY), plugins_path=(tmp_path,))
    return put_on(Panel(settings, Registry(), wire=WIRE, clock=clock))


@pytest.fixture
def app(panel: Panel, request: pytest.FixtureRequest) -> Flask:
    """The application."""
    shared = [] if "own_app" in request.fixturenames else STAGES.values()
    app = next((stage.app for stage in shared if stage.panel is panel), None) or make_app(panel)
    app.test_client_class = Browser
    return app


@pytest.fixture
def own_app(app: Flask) -> Flask:
    """The application once more, for a test that changes it: nobody else has this one."""
    return app


def make_admin(role: StaffRole = StaffRole.OWNER, name: str = "") -> Admin:
    """An account; its password is PASSWORD."""
    admin: Admin = Admin.create(name=name or role.value, role=role, password=_kept())
    return admin


def _kept(*, made: list[str] = []) -> str:  # noqa: B006  hashed once: that is slow on purpose
    if not made:
        made.append(passwords.keep(PASSWORD))
    return made[0]


def seals() -> Seals:
    """What the panel of the tests seals with."""
    return Seals(KEY)


def give_totp(admin: Admin, at: datetime) -> str:
    """Give an account a second factor; the secret."""
    secret = pyotp.random_base32()
    kept = seals().seal(secret, f"totp:{admin.id}", at)
    Admin.update(totp_secret=kept, totp_step=0).where(Admin.id == admin.id).execute()
    return secret


def code_at(secret: str, at: datetime, *, steps: int = 0) -> str:
    """What an authenticator shows, or showed so many steps from now."""
    return pyotp.TOTP(secret).at(for_time=at.replace(tzinfo=UTC), counter_offset=steps)


@pytest.fixture
def visit(app: Flask, clock: Clock) -> Visit:
    """Somebody's browser."""

    def come(role: StaffRole | None) -> Browser:
        browser = app.test_client()
        assert isinstance(browser, Browser)
        if role:
            admin = Admin.get_or_none(Admin.name == role.value) or make_admin(role)
            token = sessions.begin(admin, address="127.0.0.1", agent="tests", at=clock())
            browser.set_cookie("steadygram", token)
        return browser

    return come


@pytest.fixture
def secure(panel: Panel) -> Secure:
    """A browser at a panel in production, behind https; options are settings of it."""

    def come(**options: Any) -> Browser:
        known: dict[str, Any] = {"environment": "production", "secret_key": Secret(KEY)}
        app = create_app(Panel(Settings(**{**known, **options}), Registry(), clock=panel.clock))
        app.config.update(PREFERRED_URL_SCHEME="https", PROPAGATE_EXCEPTIONS=False)
        app.test_client_class = Browser
        browser = app.test_client()
        assert isinstance(browser, Browser)
        browser.environ_base["HTTP_REFERER"] = "https://localhost/"
        return browser

    return come
