"""The test kit for pytest: a plugin's test is a chat, with people and places as fixtures.

    pytest_plugins = ["bot.testing"]      # in conftest.py

    def test_ping(bob):
        assert bob.send("/ping") == ["pong"]

`docs/testing.md` has it all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bot.actors import PICTURE, Person, View
from bot.examples import Script, scripts
from bot.kit import ROOT, ChatKit
from bot.loader import find
from bot.memory import MemoryWire, Patience

__all__ = [
    "PICTURE",
    "ROOT",
    "ChatKit",
    "MemoryWire",
    "Patience",
    "Person",
    "View",
    "alice",
    "bob",
    "channel",
    "dan",
    "environ",
    "examples",
    "group",
    "kit",
    "plugins",
    "vera",
]


@pytest.fixture
def plugins(request: pytest.FixtureRequest) -> list[Path]:
    """The plugins under test, as folders or files. Override it to name others.

    For test_dice.py the plugin dice.py, or dice/, beside it; without one, the project's plugins.
    """
    file = request.path
    name = file.stem.removeprefix("test_")
    beside = [path for path in (file.with_name(f"{name}.py"), file.with_name(name)) if find([path])]
    return beside[:1] if beside and name != file.stem else [ROOT / "plugins"]


@pytest.fixture
def environ() -> dict[str, str]:
    """The settings of the test by their environment names. Override it to set some."""
    return {}


@pytest.fixture
def kit(plugins: list[Path], environ: dict[str, str]) -> Iterator[ChatKit]:
    """The bot with a Telegram of its own. A handler that raised fails the test, unless taken."""
    with ChatKit(plugins, database=None, telegram=None, **environ) as kit:
        yield kit
        for failed in kit.take_failed():
            pytest.fail(f"{failed.plugin}.{failed.handler} raised:\n\n{failed.traceback}", False)


@pytest.fixture
def alice(kit: ChatKit) -> Person:
    """An owner of the bot, and of the group and the channel."""
    return kit.alice


@pytest.fixture
def bob(kit: ChatKit) -> Person:
    """A user."""
    return kit.bob


@pytest.fixture
def vera(kit: ChatKit) -> Person:
    """A user who speaks Russian."""
    return kit.vera


@pytest.fixture
def dan(kit: ChatKit) -> Person:
    """A user without a username."""
    return kit.dan


@pytest.fixture
def group(kit: ChatKit) -> View:
    """A supergroup of all four; the bot is a member."""
    return kit.group


@pytest.fixture
def channel(kit: ChatKit) -> View:
    """A channel, where Alice and the bot may post."""
    return kit.channel


def examples(*plugins: Path) -> Callable[[Script], None]:
    """Make a test of the examples in the plugins' docstrings, to be kept as `test_examples`.

    `plugins` are folders or single plugins, by default the project's own.
    """
    found = scripts(plugins or [ROOT / "plugins"])

    @pytest.mark.parametrize("script", found, ids=[script.name for script in found])
    def test(script: Script) -> None:
        assert script.play() == []

    return test
