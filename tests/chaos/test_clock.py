"""The wall clock: it may jump as it likes; what must not be early or late goes by another one."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.testing import ChatKit, Patience
from database import Database
from models import Failure, Lease, User
from models import Inbox as Row
from sandbox.telegram import Telegram
from services import failures
from tests.chaos.accountant import balance
from tests.chaos.city import Bot, City, Writer

PLUGINS = [Path(__file__).parent.parent / "bot" / "plugins"]
DAYS_30 = 30 * 86_400.0
HOUR = 3600.0
RATE = 100.0
TICKS = 100
"""Of a second, as /proc counts the time that a process works."""


@pytest.fixture
def kit(database: Database) -> Iterator[ChatKit]:
    """A bot with the throttle on; its clock may jump, Telegram's does not."""
    patience = Patience()
    telegram = Telegram(timer=patience.timer, wait=patience.wait)
    limits = {"THROTTLE_RATE": "1", "THROTTLE_BURST": "5"}
    with ChatKit(PLUGINS, database=database, telegram=telegram, **limits) as kit:
        yield kit


@pytest.mark.parametrize("jump", [DAYS_30, -HOUR])
def test_a_jump_of_the_clock_loses_and_doubles_nothing(kit: ChatKit, jump: float) -> None:
    """What waits is handled once, the lease stays, nobody is silenced."""
    kit.alice.send("/ask")
    kit.telegram.send(kit.bot_id, kit.alice.id, kit.alice.id, text="Alice")
    kit.telegram.send(kit.bot_id, kit.bob.id, kit.bob.id, text="/ping")
    while kit.core.seats[0].poller.step(0):
        pass
    assert Row.select().where(Row.state == "new").count() == 2
    fence = Lease.get().fence
    kit.pass_time(seconds=jump)
    kit.chores()
    kit.restart()
    assert {row.state for row in Row.select()} == {"done"}
    assert kit.bob.texts == ["pong"]
    hello = "? Alice" if jump > 0 else "Hello, Alice"
    assert kit.alice.texts[0] == "Your name?" and hello in kit.alice.texts[1]
    assert [kit.bob.send("/ping") for _ in range(3)] == [["pong"]] * 3
    kit.core.seats[0].lease.step()
    assert Lease.get().fence == fence + 1  # the restart's own
    assert User.select().where(User.total_messages == 4).count() == 1


def test_after_a_jump_failures_are_told_and_tried_again(kit: ChatKit) -> None:
    """There and back: owners hear of an error, and a replay runs."""
    kit.alice.send("/ping")
    kit.pass_time(days=30)
    kit.bob.send("/boom")
    told = len(kit.alice.texts)
    kit.pass_time(days=-30, hours=-1)
    kit.bob.send("/boom")
    assert len(kit.alice.texts) == told + 1
    assert failures.replay(Failure.get().id)
    kit.chores()
    assert Failure.select().count() == 3
    assert [row.state for row in Row.select()].count("failed") == 2


def turn_clock(city: City, bot: Bot, file: Path, jumps: list[float], seconds: float) -> None:
    for jump in jumps:
        time.sleep(seconds)
        file.write_text(str(jump))
    time.sleep(seconds)
    assert bot.poll() is None, city.complaints()


def work(bot: Bot, seconds: float) -> float:
    """The share of a processor that a process takes for a while."""

    def used() -> int:
        fields = Path(f"/proc/{bot.pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    before = used()
    time.sleep(seconds)
    return (used() - before) / TICKS / seconds


def pair(city: City, file: Path, *control: str) -> tuple[Bot, Bot]:
    """A process that leads and one that stands by; a file holds how far their clock is off."""
    file.write_text("0")
    bot = city.start(*control, CHAOS_CLOCK=str(file))
    city.until(lambda: city.telegram.by(bot.pid))
    other = city.start(*control, CHAOS_CLOCK=str(file))
    city.until(lambda: city.stands_by(other))
    return bot, other


@pytest.mark.long
def test_a_clock_that_jumps_under_load(city: City, city_database: Database, tmp_path: Path) -> None:
    """Thirty days on, an hour back: no update lost or doubled, the lease kept, no busy loop."""
    file = tmp_path / "clock"
    bot, _ = pair(city, file)
    writer = Writer(city, RATE)
    turn_clock(city, bot, file, [DAYS_30, -HOUR, DAYS_30, 0.0, -HOUR], 12.0)
    writer.stop()
    city.drain(city_database)
    busy = work(bot, 10.0)
    found = balance(
        writer.sent, city.journal, {one.telegram_id: one.total_messages for one in User.select()}
    )
    city.tell(f"{found}, idle at {busy:.1%} of a processor, fence {Lease.get().fence}")
    assert found.clean and not found.reruns, (found, city.complaints())
    assert Lease.get().fence == 1
    assert busy <= 0.10


@pytest.mark.long
@pytest.mark.parametrize("empty_database_url", ["sqlite"], indirect=True)
def test_control_a_lease_by_the_wall_clock_is_lost(
    city: City, city_database: Database, tmp_path: Path
) -> None:
    """Two seconds of silence and a jump are as good as eight, where the wall clock counts."""
    assert jumped_while_silent(city, tmp_path / "clock", "wall-clock") == 2


@pytest.mark.long
@pytest.mark.parametrize("empty_database_url", ["sqlite"], indirect=True)
def test_a_jump_does_not_end_a_lease(city: City, city_database: Database, tmp_path: Path) -> None:
    """A holder that is silent for two seconds keeps it, whatever the clock says meanwhile."""
    assert jumped_while_silent(city, tmp_path / "clock") == 1


def jumped_while_silent(city: City, file: Path, *control: str) -> int:
    """Stop the leader for a moment in which the clock jumps; the fence after it."""
    bot, _ = pair(city, file, *control)
    bot.send_signal(signal.SIGSTOP)
    time.sleep(2.0)
    file.write_text(str(DAYS_30))
    time.sleep(2.0)
    fence: int = Lease.get().fence
    bot.send_signal(signal.SIGCONT)
    return fence
