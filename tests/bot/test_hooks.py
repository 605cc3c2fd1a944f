"""Hooks: declared with the right arguments, asked inside the plugin's boundary, once each."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from peewee import IntegerField

from bot.hooks import TAKES, HookError, words_of
from bot.plugin import Plugin
from bot.registry import Registry
from bot.rules import DeclarationError
from bot.run import begin
from bot.testing import ChatKit
from database import Database
from models import Failure
from sandbox.cast import GROUP_ID
from services import failures

WELL = '''
"""A plugin that answers all that it may be asked."""
from bot import Context, Plugin

plugin = Plugin(__name__)
calls = []
wrong = None


class Count(plugin.Model):
    pass


@plugin.health
def well():
    return wrong


@plugin.stats
def numbers():
    return {"calls": len(calls)}


@plugin.on_start
def start():
    calls.append("start")


@plugin.migrate_chat
def move(old, new):
    Count.create()
    calls.append((old, new))
'''
ILL = '''
"""A plugin whose hooks fail."""
import asyncio
from bot import Context, Plugin

plugin = Plugin(__name__)


class Row(plugin.Model):
    pass


def fail(*_):
    Row.create()
    raise asyncio.CancelledError("no luck")


plugin.health(fail)
plugin.stats(fail)
plugin.on_start(fail)
plugin.migrate_chat(fail)
'''
UP = {"update_id": 1}


@pytest.fixture
def plugin() -> Plugin:
    return Plugin("club")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in (("well", WELL), ("ill", ILL)):
        (tmp_path / f"{name}.py").write_text(dedent(text))
    return tmp_path


def module(kit: ChatKit, name: str = "well") -> dict[str, Any]:
    """What the file of a plugin has at its top."""
    return kit.registry.plugins[name].hooks["migrate_chat"].__globals__


async def later() -> None: ...


def nothing() -> None: ...


def three(_one: int, _two: int, _three: int) -> None: ...


@pytest.mark.parametrize("hook", TAKES)
@pytest.mark.parametrize("func", [later, three])
def test_a_hook_with_a_wrong_form_is_refused(
    plugin: Plugin, hook: str, func: Callable[..., object]
) -> None:
    """The sentence shows the form that is right."""
    arguments = ", ".join(TAKES[hook])
    with pytest.raises(DeclarationError) as caught:
        getattr(plugin, hook)(func)
    assert f"write def {func.__name__}({arguments})." in str(caught.value)


def test_a_hook_is_declared_once(plugin: Plugin) -> None:
    """Two functions for one hook are named, and the function comes back as it is."""
    assert plugin.on_start(nothing) is nothing
    with pytest.raises(DeclarationError, match=r"twice, for nothing\(\) and nothing\(\)"):
        plugin.on_start(nothing)


@pytest.mark.parametrize(
    "times",
    [
        {},
        {"every": 3600, "cron": "* * * * *"},
        {"every": 0},
        {"every": "hour"},
        {"every": float("nan")},
        {"cron": "0 9 * *"},
        {"cron": "0 24 * * *"},
        {"cron": "0 9 0 * *"},
        {"cron": "5-1 * * * *"},
        {"cron": "*/0 * * * *"},
        {"cron": "hourly"},
        {"cron": 7},
    ],
)
def test_a_job_runs_at_a_time_that_there_is(plugin: Any, times: dict[str, Any]) -> None:
    """Neither, both, or an impossible time is refused at once."""
    with pytest.raises(DeclarationError):
        plugin.job(**times)


@pytest.mark.parametrize("cron", ["0 9 * * *", "*/5 * * * 1-5", "0,30 8-18/2 1,15 * 7"])
def test_jobs_and_tasks_are_recorded(plugin: Plugin, cron: str) -> None:
    """With when they are to run; the name is taken once."""

    def tidy(_ctx: object) -> None: ...

    def render(_ctx: object, _chat_id: int) -> None: ...

    assert plugin.job(cron=cron)(tidy) is tidy
    assert plugin.task(render) is render
    jobs = plugin.jobs
    assert (jobs["tidy"].cron, jobs["tidy"].every, jobs["render"].cron) == (cron, None, None)
    with pytest.raises(DeclarationError, match=r"called tidy\(\)"):
        plugin.job(every=1)(tidy)
    with pytest.raises(DeclarationError, match=r"takes? exactly one|must take"):
        plugin.job(every=1)(render)
    with pytest.raises(DeclarationError, match="the ctx first"):
        plugin.task(nothing)
    with pytest.raises(DeclarationError, match="plain function"):
        plugin.task(later)


def test_a_page_of_the_panel_is_data(plugin: Plugin) -> None:
    """Columns are checked against the table; what is no table is refused."""
    Model: Any = plugin.Model  # noqa: N806 - it is a class

    class Member(Model):  # type: ignore[misc]
        age = IntegerField()

    plugin.admin(Member, columns=["id", "age"], search=["age"], title="Members")
    (page,) = plugin.pages
    assert (page.plugin, page.model, page.columns) == ("club", Member, ("id", "age"))
    assert (page.search, page.filters, page.title, page.editable) == (
        ("age",),
        (),
        "Members",
        False,
    )
    with pytest.raises(DeclarationError, match="did you mean 'age'"):
        plugin.admin(Member, columns=["agee"])
    with pytest.raises(DeclarationError, match="shows no columns"):
        plugin.admin(Member, columns=[])
    nonsense: Any = "Member"
    with pytest.raises(DeclarationError, match=r"give it a plugin\.Model"):
        plugin.admin(nonsense, columns=["age"])


def test_nothing_is_declared_late(plugin: Plugin) -> None:
    """After loading every declaration is refused."""
    plugin.close()
    late: list[Callable[[], object]] = [
        lambda: plugin.on_start(nothing),
        lambda: plugin.task(three),
        lambda: plugin.requires("peewee"),
        lambda: plugin.admin(plugin.Model, columns=["id"]),
    ]
    for declare in late:
        with pytest.raises(DeclarationError, match="is loaded already"):
            declare()


def test_the_registry_asks_every_plugin(folder: Path) -> None:
    """Health and numbers by plugin; one that fails says so and takes nobody with it."""
    with ChatKit([folder]) as kit:
        assert kit.registry.stats() == {"well": {"calls": 1}}
        said = kit.registry.health()
        assert said["well"] is None
        assert said["ill"] == "on_start() failed: CancelledError: no luck"
        module(kit)["wrong"] = "the shelf is empty"
        assert kit.registry.health()["well"] == "the shelf is empty"
        kit.registry.troubles.clear()
        assert kit.registry.health()["ill"] == "health() failed: CancelledError: no luck"


def test_who_is_off_is_not_asked(folder: Path) -> None:
    """A plugin that is switched off everywhere has no health and no numbers."""
    with ChatKit([folder]) as kit:
        kit.switches.set("well", False)
        kit.switches.set("ill", False)
        assert kit.registry.health() == {} and kit.registry.stats() == {}


def test_an_answer_that_is_none_is_a_failure(plugin: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Numbers that are no dict are left out, and the log says whose they were."""
    registry = Registry()
    plugin.stats(lambda: 7)
    registry.add(plugin)
    assert registry.stats() == {}
    assert "the hook stats of club failed" in caplog.text


def test_plugins_begin_once_a_start(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """on_start runs before the first update, again after a restart, and a failing one is told."""
    with ChatKit([folder]) as kit:
        assert module(kit)["calls"] == ["start"]
        kit.bob.send("hello")
        assert module(kit)["calls"] == ["start"]
        kit.restart()
        assert module(kit)["calls"] == ["start", "start"]
        assert "the hook on_start of ill failed" in caplog.text


def test_a_start_that_hangs_is_not_waited_for(
    plugin: Plugin, caplog: pytest.LogCaptureFixture, database: Database
) -> None:
    """The bot begins without it, and says so."""
    gate, done = threading.Event(), threading.Event()

    @plugin.on_start
    def slow() -> None:
        gate.wait(10)
        done.set()

    registry = Registry()
    registry.add(plugin)
    with caplog.at_level(logging.WARNING):
        begin(registry, patience=0.01)
    assert "the bot starts without it" in caplog.text
    gate.set()
    assert done.wait(10)
    begin(registry)


def migrate_group(kit: ChatKit) -> None:
    """The group becomes a supergroup."""
    old = {"id": GROUP_ID, "type": "group", "title": "Steady team"}
    sender = {"id": 1001, "is_bot": False, "first_name": "Alice"}
    message = {"message_id": 99, "date": 1, "from": sender, "chat": old}
    kit.telegram.push(kit.bot_id, {"message": {**message, "migrate_to_chat_id": -77}})
    kit.step()


def test_a_group_that_moves_is_told_to_plugins(folder: Path, database: Database) -> None:
    """Each hook in the transaction of the move; what a failing one wrote is undone, and kept."""
    with ChatKit([folder], database=database) as kit:
        migrate_group(kit)
        assert module(kit)["calls"] == ["start", (GROUP_ID, -77)]
        assert module(kit)["Count"].select().count() == 1
        assert module(kit, "ill")["Row"].select().count() == 1  # on_start's, in no transaction
        failure = Failure.get(plugin="ill")
        assert (failure.handler, failure.error) == ("migrate_chat", "CancelledError")
        assert failures.replay(failure.id)
        kit.chores()
        assert module(kit)["calls"][-1] == (GROUP_ID, -77)


def test_a_handler_may_ask(folder: Path) -> None:
    """A plugin reaches health and numbers through its ctx."""
    (folder / "asks.py").write_text(
        '"""Ask."""\nfrom bot import Context, Plugin\n\nplugin = Plugin(__name__)\n\n\n'
        '@plugin.command("how")\ndef how(ctx):\n    """Ask."""\n'
        "    return f\"{ctx.registry.stats()} {ctx.registry.health()['well']}\"\n"
    )
    with ChatKit([folder]) as kit:
        assert kit.bob.send("/how") == ["{'well': {'calls': 1}} None"]


def test_cancelled_is_no_exception() -> None:
    """Why the boundary catches more than Exception."""
    assert not issubclass(asyncio.CancelledError, Exception)


@pytest.mark.parametrize("error", [SystemExit, MemoryError, ValueError])
def test_an_exception_whose_words_fail_has_none(error: type[BaseException]) -> None:
    """What a plugin raises may end whoever asks what it says."""

    class Odd(Exception):
        def __str__(self) -> str:
            raise error

    assert words_of(Odd()) == ""
    assert str(HookError("notes", "health", Odd())) == "health() failed: Odd: "
