"""The circuit breaker: what suspends a plugin, what does not, and how it comes back."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from bot.breaker import FAILURES, LONGEST, OVERTIME, RUNS, Breaker, Fault, notice
from bot.plugin import Handler
from bot.testing import ChatKit
from database import EPOCH, Database
from models import Suspension
from services import plugins
from services.plugins import suspensions

FAULT = Fault("trial.boom: ValueError: no", "Traceback: no")
OFF = "This is temporarily off. Please try again later."
SORRY = "Sorry, something went wrong. The owners have been told."

FICKLE = '''"""Fail when told to."""
import pathlib
from telebot.apihelper import ApiTelegramException
from bot import Context, Plugin

plugin = Plugin(__name__)
BROKEN = pathlib.Path(__file__).with_suffix(".broken")


@plugin.command("fickle")
def fickle(ctx: Context) -> str:
    """Work, or not."""
    if BROKEN.exists():
        raise ValueError("it is broken")
    return "fine"


@plugin.on("message", regexp="boom")
def boom(ctx: Context) -> str:
    return fickle(ctx)


@plugin.command("refused")
def refused(ctx: Context) -> None:
    """Send what Telegram refuses."""
    code, text = ctx.text.split(" ", 1)
    raise ApiTelegramException("sendMessage", None, {"error_code": int(code), "description": text})


class ShopError(Exception):
    error_code: object = None


@plugin.command("shop")
def shop(ctx: Context) -> None:
    """Fail as the client of another service does."""
    error = ShopError("the shop is closed")
    error.error_code = {"401": 401, "503": 503, "E42": "E42"}.get(ctx.text)
    raise error


@plugin.command("ring")
def ring(ctx: Context) -> None:
    """Raise an error that is its own cause."""
    error = ValueError("no")
    error.__cause__ = error.__context__ = error
    raise error


@plugin.command("blank")
def blank(ctx: Context) -> str:
    """Return a text that has nothing to see."""
    return "\\n"
'''
STEADY = '''"""Always work."""
from bot import Context, Plugin

plugin = Plugin(__name__)


@plugin.command("steady")
def steady(ctx: Context) -> str:
    """Work."""
    return "steady"


@plugin.on("message", last=True)
def rest(ctx: Context) -> str:
    return "what?"
'''
PLAIN = """
def register(bot):
    @bot.message_handler(commands=["plain"])
    def plain(message):
        raise ValueError("plain")
"""


class Scene:
    """A breaker whose time is moved by hand."""

    def __init__(self) -> None:
        self.at = 0.0
        self.breaker = Breaker(clock=self.clock, timer=lambda: self.at)

    def clock(self) -> datetime:
        return EPOCH + timedelta(seconds=self.at)

    def run(self, *, fails: bool = False, name: str = "trial") -> bool:
        """Run a handler; whether it was let in."""
        entered = self.breaker.enter(handler(name), self.at)
        if entered and fails:
            self.breaker.fail(name, FAULT)
        elif entered:
            self.breaker.leave(name)
        return entered

    def suspend(self) -> None:
        for _ in range(FAILURES):
            self.run(fails=True)
        assert "trial" in self.breaker.suspended

    def live(self, seconds: int) -> None:
        """Let time pass as in a process that looks every second."""
        for _ in range(seconds):
            self.at += 1
            self.breaker.look()


def handler(plugin: str = "trial") -> Handler:
    return Handler(plugin, "boom", print, "message", {}, None, False, None, False)


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_five_failures_in_a_row_suspend_a_plugin(scene: Scene) -> None:
    """Four do not; the owners are told once, with what failed; other plugins run on."""
    for _ in range(FAILURES - 1):
        scene.run(fails=True)
    assert scene.run() and not scene.breaker.suspended
    scene.run(fails=True)
    assert not scene.run() and scene.breaker.holds("trial") and scene.run(name="other")
    (news,) = scene.breaker.news
    assert "trial is suspended: trial.boom: ValueError: no" in news and FAULT.traceback in news


def test_rare_failures_do_not(scene: Scene) -> None:
    """Five among more than twenty runs, or in more than a minute, are not too many."""
    for _ in range(30):
        scene.run(fails=True)
        for _ in range(RUNS // (FAILURES - 1) - 1):
            scene.run()
    assert not scene.breaker.suspended
    scene.at += 60
    for _ in range(30):
        scene.at += 16
        scene.run(fails=True)
    assert not scene.breaker.suspended


def test_one_update_is_let_through_when_the_time_is_over(scene: Scene) -> None:
    """While it runs the others are held; when it ends well, all go."""
    scene.suspend()
    scene.at += 59
    assert not scene.run()
    scene.at += 1
    assert not scene.breaker.holds("trial") and scene.breaker.enter(handler(), scene.at)
    assert scene.breaker.holds("trial")
    let_in: list[bool] = []
    other = threading.Thread(target=lambda: let_in.append(scene.run()))
    other.start()
    other.join()
    assert let_in == [False]
    scene.breaker.leave("trial")
    assert scene.run() and not scene.breaker.suspended


def test_a_try_that_fails_doubles_the_time(scene: Scene) -> None:
    """Up to an hour; the owners are not told again."""
    scene.suspend()
    rests = []
    for _ in range(10):
        until = scene.breaker.suspended["trial"].until
        rests.append((until - scene.clock()).total_seconds())
        scene.at += rests[-1]
        assert scene.run(fails=True)
    assert rests == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600, 3600]
    assert len(scene.breaker.news) == 1


def test_a_try_that_tells_nothing_is_repeated(scene: Scene) -> None:
    """One that met an outage neither closes nor extends the suspension."""
    scene.suspend()
    scene.at += 60
    assert scene.breaker.enter(handler(), scene.at)
    scene.breaker.leave("trial", well=False)
    assert scene.breaker.suspended["trial"].times == 1
    assert scene.run() and not scene.breaker.suspended


def test_a_relapse_goes_on_where_it_was(scene: Scene) -> None:
    """Suspended again within an hour: for longer, and the owners know. After that, anew."""
    scene.suspend()
    scene.at += 60
    assert scene.run()
    scene.suspend()
    assert scene.breaker.suspended["trial"].times == 2 and len(scene.breaker.news) == 1
    scene.at += 120
    assert scene.run()
    scene.at += LONGEST.total_seconds() + 1
    scene.suspend()
    assert scene.breaker.suspended["trial"].times == 1 and len(scene.breaker.news) == 2


def test_a_filter_that_fails_while_it_is_tried_waits_longer(scene: Scene) -> None:
    """A filter runs before a handler is entered."""
    scene.suspend()
    scene.breaker.fail("trial", FAULT)
    assert scene.breaker.suspended["trial"].times == 1
    scene.at += 60
    scene.breaker.fail("trial", FAULT)
    assert scene.breaker.suspended["trial"].times == 2


def test_handlers_that_run_too_long_are_failures(scene: Scene) -> None:
    """Each counts once, while it still runs: one that never ends is seen too."""
    threads = [Stuck(scene) for _ in range(FAILURES)]
    scene.breaker.look()
    scene.live(int(OVERTIME))
    assert not scene.breaker.suspended
    scene.live(3)
    rest = scene.breaker.suspended["trial"]
    assert (rest.times, rest.failure) == (1, "trial.boom runs for more than 60 seconds")
    for thread in threads:
        thread.end()


def test_waiting_for_telegram_is_not_running(scene: Scene) -> None:
    """While a call waits the handler's time stands still, however long."""
    threads = [Stuck(scene, waits=True) for _ in range(FAILURES)]
    scene.live(600)
    assert not scene.breaker.suspended
    for thread in threads:
        thread.end()


def test_the_time_of_a_sleep_does_not_count(scene: Scene) -> None:
    """A process that was stopped, or could not reach the database, judges nobody for it."""
    threads = [Stuck(scene) for _ in range(FAILURES)]
    scene.live(10)
    scene.at += 500
    scene.live(int(OVERTIME))
    assert not scene.breaker.suspended
    scene.live(2)
    assert "trial" in scene.breaker.suspended
    for thread in threads:
        thread.end()


class Stuck:
    """A handler in a thread of its own that ends when told."""

    def __init__(self, scene: Scene, *, waits: bool = False) -> None:
        self.scene, self.waits = scene, waits
        self.begun, self.over = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()
        self.begun.wait()

    def run(self) -> None:
        self.scene.breaker.enter(handler(), self.scene.at)
        go_on = self.scene.breaker.halt() if self.waits else None
        self.begun.set()
        self.over.wait()
        if go_on:
            go_on()
        self.scene.breaker.leave("trial")

    def end(self) -> None:
        self.over.set()
        self.thread.join()


def test_a_clock_that_is_set_back_suspends_nobody_for_days(scene: Scene) -> None:
    """A time that is further away than the longest rest is over."""
    scene.suspend()
    scene.at -= 10**6
    assert scene.run() and not scene.breaker.suspended


def test_a_notice_fits_a_message() -> None:
    """However long the error and its traceback are."""
    assert len(notice("p" * 32, Fault("f" * 10_000, "t" * 20_000))) < 4096


def test_other_processes_follow(scene: Scene, database: Database) -> None:
    """A suspension is in the table within a second, and its end too; a hand can end it."""
    scene.suspend()
    there = Breaker(clock=scene.clock)
    there.refresh()
    assert not there.suspended
    scene.breaker.refresh()
    there.refresh()
    assert there.suspended == suspensions() and there.suspended["trial"].failure == FAULT.failure
    assert there.news == []
    scene.at += 60
    assert scene.run()
    scene.breaker.refresh()
    there.refresh()
    assert not there.suspended and not suspensions()
    scene.suspend()
    scene.breaker.refresh()
    there.refresh()
    there.resume("trial")
    scene.breaker.refresh()
    assert not scene.breaker.suspended and not there.suspended


def test_the_table_is_written_only_when_something_changes(
    scene: Scene, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not by the runs of a plugin, nor by its failures while it is suspended."""
    written: list[str] = []
    monkeypatch.setattr(plugins, "suspend", lambda plugin, rest: written.append(plugin))
    monkeypatch.setattr(plugins, "resume", written.extend)
    monkeypatch.setattr(plugins, "suspensions", dict)
    scene.run()
    scene.breaker.refresh()
    assert written == []
    scene.suspend()
    scene.breaker.refresh()
    scene.breaker.fail("trial", FAULT)
    scene.breaker.refresh()
    assert written == ["trial"]


@pytest.fixture
def kit(database: Database, tmp_path: Path) -> Iterator[ChatKit]:
    """A bot with a plugin that fails when told to, and one that never does."""
    for name, source in (("fickle", FICKLE), ("plain", PLAIN), ("steady", STEADY)):
        (tmp_path / f"{name}.py").write_text(source)
    with ChatKit([tmp_path], database=database) as kit:
        yield kit


def break_it(tmp_path: Path, broken: bool = True) -> None:
    path = tmp_path / "fickle.broken"
    path.touch() if broken else path.unlink()


def state(kit: ChatKit, plugin: str) -> float | None:
    kit.chores()
    registry = kit.core.parts.metrics.registry
    return registry.get_sample_value("bot_plugin_state", {"plugin": plugin})


def test_a_plugin_that_keeps_failing_is_off_until_it_is_mended(
    kit: ChatKit, tmp_path: Path
) -> None:
    """Commands say so once, the rest of its handlers are passed over, others are not touched."""
    kit.alice.send("/steady")
    break_it(tmp_path)
    for _ in range(FAILURES):
        assert kit.bob.send("/fickle") == [SORRY]
    assert kit.bob.send("/fickle") == [OFF] and kit.bob.send("/fickle") == []
    assert kit.vera.send("/fickle") == ["Это временно отключено. Попробуйте позже, пожалуйста."]
    assert kit.bob.send("boom") == ["what?"] and kit.bob.send("/steady") == ["steady"]
    assert state(kit, "fickle") == -1 and state(kit, "steady") == 1
    told = [text for text in kit.alice.texts if "is suspended" in text]
    assert len(told) == 1 and "fickle.fickle: ValueError: it is broken" in told[0]
    assert "Traceback" in told[0] and 'raise ValueError("it is broken")' in told[0]
    kit.pass_time(seconds=61)
    assert kit.bob.send("boom") == [SORRY]
    kit.pass_time(seconds=61)
    assert kit.bob.send("/fickle") == [OFF]
    break_it(tmp_path, False)
    kit.pass_time(seconds=60)
    assert kit.bob.send("/fickle") == ["fine"] and kit.bob.send("boom") == ["fine"]
    assert state(kit, "fickle") == 1 and not Suspension.select().exists()


def test_a_suspension_survives_a_restart(kit: ChatKit, tmp_path: Path) -> None:
    """The new process knows it from the table."""
    break_it(tmp_path)
    for _ in range(FAILURES):
        kit.bob.send("/fickle")
    kit.chores()
    kit.restart()
    assert kit.bob.send("/fickle") == [OFF]


def test_control_without_the_breaker_it_is_not_suspended(
    kit: ChatKit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test sees a bot that lets a plugin fail for ever."""
    monkeypatch.setattr(Breaker, "_suspend", lambda *_: None)
    break_it(tmp_path)
    assert [kit.bob.send("/fickle") for _ in range(20)] == [[SORRY]] * 20


@pytest.mark.parametrize(
    "refusal",
    [
        *("403 Forbidden: bot was kicked", "502 Bad Gateway", "400 Bad Request: chat not found"),
        *("401 Unauthorized", "409 Conflict: terminated by other getUpdates request"),
        "400 Bad Request: not enough rights to send text messages to the chat",
    ],
)
def test_what_is_telegrams_fault_does_not_count(kit: ChatKit, refusal: str) -> None:
    """Somebody who blocked the bot, an outage, a chat that is gone, a token that is refused."""
    for _ in range(2 * FAILURES):
        kit.bob.send(f"/refused {refusal}")
    assert not kit.core.breaker.suspended


def test_a_text_that_telegram_cannot_read_counts(kit: ChatKit) -> None:
    """Whatever words are in it: "copyrights" are not the rights that the bot lacks in a chat."""
    for _ in range(FAILURES):
        kit.bob.send('/refused 400 Bad Request: Unsupported start tag "copyrights"')
    assert "fickle" in kit.core.breaker.suspended


def test_a_reply_that_telegram_refuses_counts(kit: ChatKit) -> None:
    """A text with nothing to see is the plugin's fault, although the handler has ended."""
    for _ in range(FAILURES):
        kit.bob.send("/blank")
    assert "fickle" in kit.core.breaker.suspended


@pytest.mark.parametrize("said", ["shop 401", "shop 503", "shop E42", "shop none", "ring"])
def test_an_odd_error_is_a_failure_as_any_other(kit: ChatKit, said: str) -> None:
    """The codes of another service's client are not Telegram's; a cause may be in a ring."""
    answers = [kit.bob.send(f"/{said}") for _ in range(FAILURES)]
    assert answers[0] == ["Sorry, something went wrong. The owners have been told."]
    assert {failure.plugin for failure in kit.take_failed()} == {"fickle"}
    assert "fickle" in kit.core.breaker.suspended


def test_a_module_in_telebots_style_is_suspended_too(kit: ChatKit) -> None:
    """Its commands do not match any more."""
    for _ in range(FAILURES):
        assert kit.bob.send("/plain") == [SORRY]
    assert kit.bob.send("/plain") == ["what?"] and state(kit, "plain") == -1
