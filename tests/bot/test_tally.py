"""The tally: the figures follow what the bot does, over restarts, at a bounded cost."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from bot.tally import DAYS, Tally
from bot.testing import ChatKit
from database import Database
from models import AnalyticsEvent
from services import figures
from staff import DailyFigure

PLUGINS = [Path(__file__).parent / "plugins"]


@pytest.fixture
def kit(database: Database) -> Iterator[ChatKit]:
    """The bot with the trial plugin, on each engine."""
    with ChatKit(PLUGINS, database=database) as kit:
        yield kit


def still(kit: ChatKit) -> Tally:
    """A tally whose counts take no time."""
    return Tally(kit.core, timer=lambda: 0.0)


def figure(kit: ChatKit, name: str) -> int:
    """A figure of today."""
    today = kit.clock().date()
    return figures.read(today, [name])[name].get(today, 0)


def test_the_figures_follow_what_people_do(kit: ChatKit) -> None:
    """Messages, commands, newcomers, failures and answers are in the figures of the day."""
    tally = still(kit)
    kit.bob.send("/ping")
    kit.bob.send("hello")
    kit.vera.send("/boom")
    tally.step(0.0)
    expected = {"event.command": 2, "event.message": 1, "event.user_joined": 2}
    expected |= {"errors": 1, "people": 2, "users.active": 2, "active.day": 2}
    assert {name: figure(kit, name) for name in expected} == expected
    assert figure(kit, "responses") >= 3
    kit.bob.send("hello")
    tally.step(5.0)
    assert figure(kit, "event.message") == 1
    tally.step(10.0)
    assert figure(kit, "event.message") == 2


def test_a_restart_counts_nothing_twice(kit: ChatKit) -> None:
    """A new process counts the day anew, and adds only the answers of its own."""
    kit.bob.send("/ping")
    still(kit).step(0.0)
    answered = figure(kit, "responses")
    kit.restart()
    tally = still(kit)
    tally.step(0.0)
    assert (figure(kit, "event.command"), figure(kit, "responses")) == (1, answered)
    kit.bob.send("/ping")
    tally.step(10.0)
    assert (figure(kit, "event.command"), figure(kit, "responses")) == (2, answered + 1)


def test_who_does_not_lead_counts_nothing(kit: ChatKit) -> None:
    """A standby leaves the figures to the process that acts for the bot."""
    kit.bob.send("/ping")
    for seat in kit.core.seats:
        seat.led = False
    still(kit).step(0.0)
    assert DailyFigure.select().count() == 0


def test_days_gone_by_are_filled_in_a_few_at_a_time(kit: ChatKit) -> None:
    """After an update, or a long stop, each step counts some days until none is open."""
    kit.pass_time(hours=(12 - kit.clock().hour) % 24)
    start = kit.clock() - timedelta(days=20)
    for back in range(20):
        AnalyticsEvent.create(event_type="message", created_at=start + timedelta(days=back))
    tally = still(kit)
    closed = DailyFigure.select().where(DailyFigure.name == figures.CLOSED)
    seen = []
    for step in range(4):
        tally.step(step * 10.0)
        seen.append(closed.count())
    assert seen == [DAYS, 2 * DAYS, 20, 20]
    counted = figures.read(start.date(), ["event.message"])["event.message"]
    assert sum(counted.values()) == 20


def test_a_slow_count_is_made_seldom(kit: ChatKit) -> None:
    """Counting takes one part in a hundred of the time at most, however much there is to count."""
    times = iter([0.0, 0.0, 0.0, 3.0] + [9.0] * 10)
    tally = Tally(kit.core, timer=lambda: next(times))
    tally.step(0.0)  # the day in no time, everybody in three seconds
    kit.bob.send("/ping")
    tally.step(299.0)
    assert (figure(kit, "event.command"), figure(kit, "users.active")) == (1, 0)
    tally.step(300.0)
    assert figure(kit, "users.active") == 1
