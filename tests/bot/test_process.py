"""The process: threads, signals, the watchdog, the lease, and an end in time."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg2
import pytest

import bot.process
from bot.chores import Chores
from bot.lease import Lease
from bot.process import Process, begin_again
from bot.testing import ChatKit
from database import Database, db
from models import Failure, Role, User
from models import Inbox as Row
from sandbox.telegram import Telegram
from services import failures, users
from services.plugins import Rest
from tests.bot.test_lease import Clock
from tests.bot.test_polling import refused
from tests.bot.test_several import FIRST, TOKENS
from tests.chaos.run_bot import Stubborn

PLUGINS = [Path(__file__).parent / "plugins"]


@pytest.fixture
def kit(database: Database) -> Iterator[ChatKit]:
    """A bot whose lease is free, so that the process takes it itself."""
    with ChatKit(PLUGINS, database=database, telegram=Telegram()) as kit:
        for seat in kit.core.seats:
            seat.lease.release()
            seat.led = False
        yield kit


def make(kit: ChatKit, **options: Any) -> Process:
    chores = Chores(kit.core, [kit.switches, kit.preferences])
    return Process(kit.core, **{"chores": [chores.step, chores.sync_menus], **options})


def run(process: Process, during: Callable[[], None]) -> int:
    """Run in this thread, as signals demand, with `during` in another one that ends it."""

    def act() -> None:
        try:
            during()
        finally:
            if not process.stop.is_set():
                os.kill(os.getpid(), signal.SIGTERM)

    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    threading.Thread(target=act).start()
    try:
        return process.run()
    finally:
        for number, handler in zip(numbers, before):
            signal.signal(number, handler)


def wait_for(condition: Callable[[], bool], *, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_process_polls_answers_and_ends_on_a_signal(kit: ChatKit) -> None:
    """From the lease to the reply and to a clean end with nothing left open."""
    process = make(kit)

    def talk() -> None:
        wait_for(lambda: kit.core.seats[0].led)
        kit.telegram.send(kit.bot_id, 1002, 1002, text="/ping")
        wait_for(lambda: kit.bob.texts == ["pong"])

    assert run(process, talk) == 0
    assert not process.again
    assert {row.state for row in Row.select()} == {"done"}
    assert Lease(f"poller:{kit.bot_id}", owner="next", dead=lambda owner: False).step()


def test_a_backlog_stays_for_the_next_life(kit: ChatKit) -> None:
    """At a stop running handlers end; what was not begun is handled by the next life."""
    process, gate, begun = make(kit), threading.Event(), threading.Event()

    def slow(ctx: Any) -> str:
        begun.set()
        gate.wait(10)
        return "slow pong"

    object.__setattr__(kit.registry.commands["ping"], "func", slow)

    def stop_in_the_middle() -> None:
        for text in ("/ping", "second", "third"):
            kit.telegram.send(kit.bot_id, 1002, 1002, text=text)
        assert begun.wait(10)
        wait_for(lambda: Row.select().count() == 3)
        os.kill(os.getpid(), signal.SIGTERM)
        wait_for(process.stop.is_set)
        gate.set()

    assert run(process, stop_in_the_middle) == 0
    assert kit.bob.texts == ["slow pong"]
    states = sorted(row.state for row in Row.select())
    assert states == ["done", "new", "new"]
    kit.core.parts.stop.clear()
    kit.core.parts.abandon.clear()
    kit.restart()
    assert kit.bob.texts == ["slow pong", "? second", "? third"]


@pytest.mark.parametrize("kind", [Process, Stubborn])
def test_a_second_signal_ends_at_once(
    kit: ChatKit, monkeypatch: pytest.MonkeyPatch, kind: type[Process]
) -> None:
    """The first asks, the second does not wait; the exit code is the shell's.

    One that hears the first alone is still there.
    """
    process, codes = kind(kit.core, chores=[]), list[int]()
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    process._on_signals()
    monkeypatch.setattr(os, "_exit", codes.append)
    os.kill(os.getpid(), signal.SIGTERM)
    wait_for(process.stop.is_set)
    signal.raise_signal(signal.SIGTERM)
    for number, handler in zip((signal.SIGTERM, signal.SIGINT), before):
        signal.signal(number, handler)
    assert codes == ([143] if kind is Process else [])


def test_a_refused_token_ends_the_process_with_one_sentence(
    kit: ChatKit, caplog: pytest.LogCaptureFixture
) -> None:
    """A 401 is said, and the exit code is not zero."""
    kit.telegram.fail("401", "getMe")
    process = make(kit)
    assert run(process, lambda: wait_for(process.stop.is_set)) == 2
    assert "TELEGRAM_BOT_TOKEN" in caplog.text


def test_silence_ends_the_process(kit: ChatKit, caplog: pytest.LogCaptureFixture) -> None:
    """Without a good poll for 90 seconds the process gives up its place, with exit code 1."""
    clock = Clock()
    process = make(kit, clock=clock)
    process.watch()
    seat = kit.core.seats[0]
    seat.lease.step()
    seat.led, seat.poller.last_success = True, clock.now
    clock.now += 89
    process.watch()
    assert not process.stop.is_set()
    clock.now += 2
    process.watch()
    assert process.stop.is_set() and process.code == 1
    assert "no successful getUpdates for 91 s" in caplog.text


def test_a_process_that_slept_is_not_silent(kit: ChatKit) -> None:
    """Whoever wakes up after its lease has not polled, and was not to."""
    clock, seat = Clock(), kit.core.seats[0]
    process = make(kit, clock=clock)
    seat.lease._clock = clock
    seat.lease.step()
    seat.led, seat.poller.last_success = True, clock.now
    clock.now += 100
    process.watch()
    assert not process.stop.is_set()


class Careless(Process):
    """Control: a thread that fails is nobody's business."""

    def _see_through(self, name: str, target: Callable[..., None], *args: Any) -> None:
        with suppress(MemoryError):
            target(*args)


@pytest.mark.parametrize("part", ["ledger", "crew", "poller"])
@pytest.mark.parametrize("kind", [Process, Careless])
def test_a_thread_that_fails_ends_the_process(
    kit: ChatKit,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    kind: type[Process],
    part: str,
) -> None:
    """With an error for its supervisor; one that does not care stays up and is half dead."""
    process, failed = kind(kit.core, chores=[]), threading.Event()

    def fail(*_: Any) -> None:
        failed.set()
        raise MemoryError

    parts = {"ledger": kit.core.ledger, "crew": kit.core.crew, "poller": kit.core.seats[0].poller}
    monkeypatch.setattr(parts[part], "work" if part == "crew" else "run", fail)

    def look() -> None:
        assert failed.wait(10)
        process.stop.wait(1.0)

    assert run(process, look) == (kind is Process)
    said = f"failed with MemoryError; {bot.process.STARTS_AGAIN}"
    assert (said in caplog.text) is (kind is Process)


@pytest.mark.parametrize("fails", [True, False])
def test_what_ran_when_a_thread_failed_stays_under_suspicion(
    kit: ChatKit, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    """It may have been its fault, and must not end the next life too; a clean end clears it."""
    seat = kit.core.seats[0]
    row = {"bot_id": kit.bot_id, "update_id": 1, "lane": 1, "kind": "message", "payload": "{}"}
    Row.create(**row, state="new", attempts=1)
    ready = threading.Event()

    def work() -> None:
        wait_for(lambda: seat.led)
        ready.set()
        if fails:
            raise MemoryError

    monkeypatch.setattr(kit.core.crew, "work", work)
    process = make(kit, chores=[])
    assert run(process, lambda: wait_for(ready.is_set)) == fails
    assert Row.get().attempts == fails


def test_a_handler_cannot_interrupt_the_bot(kit: ChatKit) -> None:
    """In a lane KeyboardInterrupt is a failure like any other: nobody is at a terminal there."""

    def interrupt(ctx: Any) -> str:
        raise KeyboardInterrupt

    object.__setattr__(kit.registry.commands["ping"], "func", interrupt)

    def talk() -> None:
        kit.telegram.send(kit.bot_id, 1002, 1002, text="/ping")
        wait_for(lambda: {row.state for row in Row.select()} == {"failed"})

    assert run(make(kit), talk) == 0
    assert [failure.error for failure in Failure.select()] == ["KeyboardInterrupt"]


@pytest.mark.parametrize("poor", [False, True])
def test_a_watchdog_that_fails_ends_the_process(
    kit: ChatKit, monkeypatch: pytest.MonkeyPatch, poor: bool
) -> None:
    """The main thread is one of its own; the leases are given up though no word can be said."""
    process = make(kit, chores=[])

    def fail(*_: Any, **__: Any) -> None:
        wait_for(lambda: kit.core.seats[0].led)
        raise MemoryError

    monkeypatch.setattr(process, "watch", fail)
    if poor:
        monkeypatch.setattr(bot.process.log, "critical", fail)
    assert run(process, lambda: wait_for(process.stop.is_set)) == 1
    assert Lease(f"poller:{kit.bot_id}", owner="next", dead=lambda owner: False).step()


def test_what_failed_on_its_way_to_a_lane_comes_again(
    kit: ChatKit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the commit and before the lane has it: Telegram is not told yet, and repeats it."""
    put, tries = kit.core.lanes.put, list[int]()

    def fail_once(items: Any) -> None:
        tries.append(len(items))
        if len(tries) == 1:
            raise MemoryError
        put(items)

    monkeypatch.setattr(kit.core.lanes, "put", fail_once)

    def talk() -> None:
        kit.telegram.send(kit.bot_id, 1002, 1002, text="/ping")
        wait_for(lambda: kit.bob.texts == ["pong"])

    assert run(make(kit), talk) == 0
    assert tries[:2] == [1, 0] and User.get(User.telegram_id == 1002).total_messages == 1


def test_who_fails_at_the_end_does_not_change_how_it_ended(
    kit: ChatKit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal asked for the end: that it came is no error."""

    def fail_late(*_: Any) -> None:
        assert kit.core.parts.stop.wait(10)
        raise MemoryError

    monkeypatch.setattr(kit.core.ledger, "run", fail_late)
    process = make(kit, chores=[])
    assert run(process, lambda: wait_for(lambda: kit.core.seats[0].led)) == 0


def test_a_lost_lease_makes_a_standby(kit: ChatKit, caplog: pytest.LogCaptureFixture) -> None:
    """Another process took over: this one changes nothing more and begins anew."""
    process = make(kit)

    def lose() -> None:
        wait_for(lambda: kit.core.seats[0].led)
        assert Lease(f"poller:{kit.bot_id}", owner="other", dead=lambda owner: True).step()
        wait_for(process.stop.is_set)

    assert run(process, lose) == 0
    assert process.again and "stands by" in caplog.text


def test_an_outage_at_the_beat_is_waited_out(
    kit: ChatKit, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lease and the chores outlive a database that is away, and a bug in one turn."""
    monkeypatch.setattr(bot.process, "BEAT", 0.01)
    troubles: list[Exception] = [
        psycopg2.OperationalError("server closed the connection unexpectedly"),
        ValueError("a bug"),
    ]
    chores: list[float] = []

    def turn(at: float) -> None:
        chores.append(at)
        if len(chores) <= 2:
            raise troubles[len(chores) - 1]

    process = make(kit, chores=[turn])
    lease, real = kit.core.seats[0].lease, kit.core.seats[0].lease.step
    left = list(troubles)

    def step() -> bool:
        if left:
            raise left.pop(0)
        return real()

    lease.step = step  # type: ignore[method-assign]
    assert run(process, lambda: wait_for(lambda: len(chores) > 3 and kit.core.seats[0].led)) == 0
    assert "the lease waits for the database" in caplog.text
    assert "housekeeping failed" in caplog.text


def gauge(kit: ChatKit, name: str, **labels: str) -> float | None:
    """What a scrape would get now."""
    return kit.core.parts.metrics.registry.get_sample_value(name, labels)


def raise_outage(*_: Any, **__: Any) -> Any:
    raise psycopg2.OperationalError("server closed the connection unexpectedly")


def test_who_cannot_beat_does_not_say_that_it_polls(
    kit: ChatKit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the database is away the lease runs out by this process's own clock; then it is 0."""
    process, clock, seat = make(kit), Clock(), kit.core.seats[0]
    seat.lease._clock = clock
    seat.lease.step()
    kit.core.lead(seat)
    for _ in range(3):  # the control: with a database it goes on
        clock.now += 5
        process.beat()
        assert gauge(kit, "bot_poller_leader") == 1
    with monkeypatch.context() as away:
        away.setattr(kit.database, "execute_sql", raise_outage)
        clock.now += 7
        with pytest.raises(psycopg2.OperationalError):
            process.beat()
        assert gauge(kit, "bot_poller_leader") == 0
    process.beat()
    assert gauge(kit, "bot_poller_leader") == 1


def test_what_waits_grows_old_while_the_database_is_away(
    kit: ChatKit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody can look, and the alert sees it; what needs no database is told all the same."""
    chores, metrics = Chores(kit.core, [kit.switches]), kit.core.parts.metrics
    ages = ("bot_inbox_oldest_age_seconds", "bot_messages_oldest_age_seconds")
    for second in range(0, 60, 6):  # the control: with a database nothing waits
        chores.step(second)
        kit.pass_time(seconds=6)
        assert [gauge(kit, name) for name in ages] == [0, 0]
    kit.core.breaker.suspended["trial"] = Rest(kit.clock(), 1, "it failed", "")
    metrics.disk_free.set(-1)
    with monkeypatch.context() as away:
        away.setattr(kit.database, "execute_sql", raise_outage)
        with pytest.raises(psycopg2.OperationalError):
            chores.step(60.0)
        kit.pass_time(seconds=40)
    assert all((gauge(kit, name) or 0) >= 40 for name in ages)
    assert gauge(kit, "bot_plugin_state", plugin="trial") == -1
    assert 0 < (gauge(kit, "bot_disk_free_ratio") or 0) < 1
    chores.step(66.0)
    assert [gauge(kit, name) for name in ages] == [0, 0]


def test_the_last_poll_is_that_of_the_bot_that_is_silent(database: Database) -> None:
    """Of those that this process leads; one that is led elsewhere is not its own."""
    name = "bot_poll_last_success_timestamp_seconds"
    with ChatKit(PLUGINS, database=database, TELEGRAM_BOT_TOKEN=TOKENS) as kit:
        make(kit)
        (first, second), clock = kit.core.seats, Clock()
        assert gauge(kit, name) == 0
        first.poller.step(0)
        assert gauge(kit, name) == 0
        second.poller.polled = 1000.0
        assert gauge(kit, name) == 1000
        second.led = False  # it has the lease, and cannot begin
        assert gauge(kit, name) == 1000
        second.led = True
        second.lease._clock, clock.now = clock, 1e9  # lost, while the other's is held
        assert gauge(kit, name) == 1000 and gauge(kit, "bot_poller_leader") == 1
        second.led = False
        assert gauge(kit, name) == first.poller.polled > 1000


def test_a_restart_keeps_pid_and_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beginning anew replaces the process by the same command."""
    called: list[Any] = []
    monkeypatch.setattr(os, "execv", lambda *args: called.append(args))
    monkeypatch.setattr(sys, "orig_argv", ["python", "-m", "bot", "run"])
    try:
        begin_again()
        assert signal.SIGHUP in signal.pthread_sigmask(signal.SIG_BLOCK, [])  # for the fresh one
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})
    assert called == [(sys.executable, [sys.executable, "-m", "bot", "run"])]


def test_a_hangup_asks_for_a_reload(kit: ChatKit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless it comes from a terminal that was closed: that ends the process, as ever."""
    process, numbers = make(kit), (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    process._on_signals()
    try:
        os.kill(os.getpid(), signal.SIGHUP)
        wait_for(lambda: process.reload_wanted)
        assert not process.stop.is_set()
        process._on_terminal = True
        monkeypatch.setattr(os, "isatty", lambda _: False)
        os.kill(os.getpid(), signal.SIGHUP)
        wait_for(process.stop.is_set)
    finally:
        for number, handler in zip(numbers, before):
            signal.signal(number, handler)


def test_a_restart_keeps_the_lease_for_itself(
    kit: ChatKit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No standby takes over meanwhile; a poll that nothing comes of is not waited for."""
    monkeypatch.setattr(bot.process, "POLLED", 0.05)
    process = make(kit)

    def restart() -> None:
        wait_for(lambda: kit.core.seats[0].led)
        process.restart()

    assert run(process, restart) == 0 and process.again
    assert not Lease(f"poller:{kit.bot_id}", owner="standby", dead=lambda owner: False).step()
    assert Lease(f"poller:{kit.bot_id}").step()


def test_the_last_commit_may_be_left_to_the_next_start(
    kit: ChatKit, caplog: pytest.LogCaptureFixture
) -> None:
    """A stop while the database is away still ends; the inbox has everything."""
    process = make(kit)

    def cut() -> None:
        wait_for(lambda: kit.core.seats[0].led)

        def flush() -> int:
            raise psycopg2.OperationalError("away")

        kit.core.ledger.flush = flush  # type: ignore[method-assign]

    assert run(process, cut) == 0
    assert "left to the next start" in caplog.text


def test_the_chores_keep_numbers_menus_and_replays(
    kit: ChatKit, caplog: pytest.LogCaptureFixture
) -> None:
    """Once a second: other processes' changes; every few: gauges; every ten minutes: old ids."""
    caplog.set_level(logging.INFO)
    for seat in kit.core.seats:
        seat.lease.step()
        kit.core.lead(seat)
    chores = Chores(kit.core, [kit.switches, kit.preferences])
    chores.step(0.0)
    chores.sync_menus(0.0)
    assert kit.calls("setMyCommands") == []
    kit.bob.send("/boom")
    chores.step(1.0)
    chores.sync_menus(1.0)
    menus = len(kit.calls("setMyCommands"))
    assert menus >= 1
    failures.replay(1)
    chores.step(6.0)
    chores.sync_menus(6.0)
    metrics = kit.core.parts.metrics.registry
    assert metrics.get_sample_value("bot_inbox_depth") == 1
    assert metrics.get_sample_value("bot_plugin_state", {"plugin": "trial"}) == 1
    assert metrics.get_sample_value("bot_active_users", {"period": "day"}) == 0
    kit.switches.set("trial", False)
    kit.switches._off = frozenset()
    chores.step(700.0)
    chores.sync_menus(700.0)
    assert len(kit.calls("setMyCommands")) > menus
    assert metrics.get_sample_value("bot_active_users", {"period": "day"}) == 1


def test_ids_are_forgotten_only_after_a_while(kit: ChatKit) -> None:
    """A start with a clock that is far ahead still recognises what Telegram delivers again."""
    kit.core.seats[0].lease.step()
    kit.bob.send("/ping")
    kit.pass_time(days=30)
    chores = Chores(kit.core, [])
    chores.step(1000.0)
    assert Row.select().count() == 1
    chores.step(1600.0)
    assert Row.select().count() == 0


def test_a_process_that_slept_claims_nothing(kit: ChatKit) -> None:
    """What somebody put back is left to the process that has the lease."""
    seat, clock = kit.core.seats[0], Clock()
    seat.lease._clock = clock
    seat.lease.step()
    kit.core.lead(seat)
    kit.bob.send("/boom")
    failures.replay(1)
    clock.now += 7
    Chores(kit.core, []).step(0.0)
    assert Row.get().state == "queued"
    seat.lease.step()
    Chores(kit.core, []).step(0.0)
    assert Row.get().state == "new"


def test_a_role_changes_the_menu_within_seconds(kit: ChatKit) -> None:
    """A new moderator need not wait for the minute's round; without a change nothing is told."""
    for seat in kit.core.seats:
        seat.lease.step()
        kit.core.lead(seat)
    chores = Chores(kit.core, [])
    kit.bob.send("/start")
    chores.step(0.0)
    chores.sync_menus(0.0)
    with db.atomic():
        users.set_role(User.get(User.telegram_id == kit.bob.id), Role.MODERATOR)
    before = len(kit.calls("setMyCommands"))
    chores.step(6.0)
    chores.sync_menus(6.0)
    scopes = [call["scope"] for call in kit.calls("setMyCommands")[before:]]
    assert any(str(kit.bob.id) in str(scope) for scope in scopes)
    told = len(kit.calls("setMyCommands"))
    chores.step(12.0)
    chores.sync_menus(12.0)
    assert len(kit.calls("setMyCommands")) == told


def test_a_handler_may_reply_long_after_the_signal(
    kit: ChatKit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lease is kept beating until the running handlers have ended."""
    monkeypatch.setattr(bot.process, "BEAT", 0.02)
    process, lease, gate = make(kit), kit.core.seats[0].lease, threading.Event()
    lease._held_for = 0.2
    begun = threading.Event()

    def slow(ctx: Any) -> str:
        begun.set()
        gate.wait(10)
        return "late pong"

    object.__setattr__(kit.registry.commands["ping"], "func", slow)

    def stop_and_wait() -> None:
        kit.telegram.send(kit.bot_id, 1002, 1002, text="/ping")
        assert begun.wait(10)
        os.kill(os.getpid(), signal.SIGTERM)
        wait_for(process.stop.is_set)
        time.sleep(0.6)
        gate.set()

    assert run(process, stop_and_wait) == 0
    assert kit.bob.texts == ["late pong"] and {row.state for row in Row.select()} == {"done"}


def test_one_refused_token_does_not_end_the_other_bots(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """The sentence names the bot; the process ends when none is left."""
    with ChatKit(PLUGINS, database=database, TELEGRAM_BOT_TOKEN=TOKENS) as kit:
        process = make(kit)
        error = refused(401, "Unauthorized")
        process._refused(kit.core.seats[0], error)
        process.beat()
        assert not process.stop.is_set() and str(FIRST) in caplog.text
        process._refused(kit.core.seats[1], error)
        assert process.stop.is_set() and process.code == 2
