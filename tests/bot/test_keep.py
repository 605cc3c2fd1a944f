"""The keeper: a dead bot is started again, a stopped one is not."""

from __future__ import annotations

import os
import signal
import sys
import time
from subprocess import PIPE, Popen

import pytest

from bot.keep import Keeper, spawn
from bot.kit import ROOT
from tests.admin.serving import is_alive


class Child:
    """A process whose exit code is told; what it is sent is noted."""

    def __init__(self, code: int, *, keeper: list[Keeper] | None = None) -> None:
        self.code = code
        self.got: list[int] = []
        self._keeper = keeper

    def wait(self) -> int:
        if self._keeper:
            self._keeper[0]._pass_on(signal.SIGTERM, None)
        return self.code

    def send_signal(self, number: int) -> None:
        self.got.append(number)


def test_a_killed_child_is_started_again(caplog: pytest.LogCaptureFixture) -> None:
    """It pauses longer while the deaths follow fast, and ends with a clean end."""
    children, pauses = [Child(-9), Child(1), Child(-11), Child(0)], list[float]()
    keeper = Keeper(lambda: children.pop(0), clock=lambda: 0.0, sleep=pauses.append)
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    assert keeper.run() == 0
    for number, handler in zip(numbers, before):
        signal.signal(number, handler)
    assert pauses == [0.2, 0.4, 0.8] and not children
    assert "signal 9" in caplog.text and "exit code 1" in caplog.text


def test_a_long_life_makes_the_next_pause_short() -> None:
    """Only quick deaths slow the starts down."""
    times = iter([0.0, 1.0, 1.0, 2.0, 2.0, 60.0])
    keeper = Keeper(lambda: Child(-9), clock=lambda: next(times), sleep=lambda _: None)
    assert [keeper.step(), keeper.step()] == [None, None]
    assert keeper._pause == 0.4
    keeper.step()
    assert keeper._pause == 0.2


@pytest.mark.parametrize("code", [0, 2])
def test_what_a_start_does_not_mend_is_final(code: int) -> None:
    """A clean end, and a mistake that a person must mend, end the keeper too."""
    assert Keeper(lambda: Child(code)).step() == code


def test_a_stop_goes_on_to_the_child() -> None:
    """A stopped child is not started again; a child that a signal ended gives the shell's code."""
    keepers: list[Keeper] = []
    child = Child(-15, keeper=keepers)
    keepers.append(Keeper(lambda: child))
    assert keepers[0].step() == 143 and child.got == [signal.SIGTERM]


def test_a_stop_between_two_children_starts_no_third() -> None:
    """Who is stopped while it waits ends; a child that was just begun is told."""
    keepers: list[Keeper] = []
    late = Child(0)

    def stopped(_seconds: float = 0.0) -> None:
        keepers[-1]._pass_on(signal.SIGTERM, None)

    def start() -> Child:
        stopped()
        return late

    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    children = [Child(-9)]
    keepers.append(Keeper(children.pop, sleep=stopped))
    assert keepers[-1].run() == 0 and not children
    keepers.append(Keeper(start))
    assert keepers[-1].run() == 0 and late.got == [signal.SIGTERM]
    for number, handler in zip((signal.SIGTERM, signal.SIGINT), before):
        signal.signal(number, handler)


def test_a_hangup_goes_on_to_the_child_and_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """It asks for a reload; when the terminal was closed it is a stop."""
    child = Child(0)
    keeper = Keeper(lambda: child)
    keeper._child = child
    keeper._pass_on(signal.SIGHUP, None)
    assert child.got == [signal.SIGHUP] and not keeper._stopping
    keeper._on_terminal = True
    monkeypatch.setattr(os, "isatty", lambda _: False)
    keeper._pass_on(signal.SIGHUP, None)
    assert child.got == [signal.SIGHUP, signal.SIGTERM] and keeper._stopping


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of it")
def test_a_killed_keeper_takes_its_child_along() -> None:
    """It gets a SIGTERM, so that nothing polls that nobody can stop."""
    program = (
        "from bot.keep import _end_with; import functools, os, subprocess;"
        "child = subprocess.Popen(['sleep', '60'], start_new_session=True,"
        " preexec_fn=functools.partial(_end_with, os.getpid()));"
        "print(child.pid, flush=True); child.wait()"
    )
    with Popen([sys.executable, "-c", program], stdout=PIPE, text=True, cwd=ROOT) as keeper:
        assert keeper.stdout is not None
        pid = int(keeper.stdout.readline())
        assert is_alive(pid)
        keeper.kill()
    deadline = time.monotonic() + 10
    while is_alive(pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_child_is_the_bot(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept is `python -m bot run`; with a bad setting it ends with code 2 for good."""
    monkeypatch.setenv("BOT_THREADS", "many")
    child = spawn()
    assert isinstance(child, Popen) and child.args == [sys.executable, "-m", "bot", "run"]
    assert os.getsid(child.pid) == child.pid != os.getsid(0)
    assert child.wait() == 2 and os.environ["BOT_THREADS"] == "many"
