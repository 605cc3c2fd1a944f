"""Kills: whatever the moment, nothing is lost, counted twice or out of order."""

from __future__ import annotations

import os

import pytest

from bot.quarantine import KILLS
from database import Database
from models import Failure
from tests.chaos.supervisor import Plan, Supervisor
from tests.chaos.town import Town

SEED = 20260501
SEEDS = [int(seed) for seed in os.environ.get("CHAOS_SEEDS", "").split()] or range(1, 21)
"""What the long form draws its plans from: CHAOS_SEEDS="7 8" takes others."""
THREADS = 32
ON_SQLITE = pytest.mark.parametrize("empty_database_url", ["sqlite"], indirect=True)


@ON_SQLITE
def test_three_kills_lose_double_and_reorder_nothing(town: Town, town_database: Database) -> None:
    """400 updates over 40 chats, three SIGKILLs: all handled, counted once, in order."""
    plan = Plan.draw(SEED, updates=400, chats=40, kills=3)
    account = Supervisor(town, town_database).run(plan, rate=400)
    assert account.clean, (plan.seed, account, town.complaints())
    assert account.repeats <= town.waits()
    assert account.reruns_of_a_life <= THREADS and account.double_sends <= 3 * THREADS


@pytest.mark.long
@pytest.mark.parametrize("seed", SEEDS)
def test_ten_kills_lose_double_and_reorder_nothing(
    town: Town, town_database: Database, seed: int
) -> None:
    """4,000 updates over 200 chats at 200 a second, ten SIGKILLs: the same, for each seed."""
    plan = Plan.draw(seed, updates=4000, chats=200, kills=10)
    account = Supervisor(town, town_database).run(plan)
    print(f"seed {seed}: {account}")  # noqa: T201  the figures of the long form
    assert account.clean, (plan.seed, plan.kills, account, town.complaints())
    assert account.repeats <= town.waits()
    assert account.reruns_of_a_life <= THREADS and account.double_sends <= 10 * THREADS


@pytest.mark.long
@ON_SQLITE
def test_an_update_that_kills_is_set_aside_after_three_deaths(
    town: Town, town_database: Database
) -> None:
    """A handler that takes the process down does so three times; everybody else is served."""
    town.telegram.write(7, 0, "die")
    for number in range(60):
        town.telegram.write(5001 + number % 20, number // 20)
    deaths = 0
    while town.dies(town.start(CHAOS_CALM="0.5"), town_database):
        deaths += 1
    town.drain(town_database)
    assert deaths == KILLS
    assert (Failure.get().error, Failure.select().count()) == ("ProcessKilled", 1)
    assert town.account().clean


@ON_SQLITE
def test_control_confirming_first_loses_updates(town: Town, town_database: Database) -> None:
    """The harness sees losses: a bot that tells Telegram before it commits loses some."""
    plan = Plan.draw(SEED, updates=300, chats=20, kills=1)
    account = Supervisor(town, town_database, control="confirm-first").run(plan, rate=400)
    assert account.lost > 0


@ON_SQLITE
def test_control_without_lanes_reorders(town: Town, town_database: Database) -> None:
    """The harness sees inversions: a bot without lanes does not keep the order of a chat."""
    plan = Plan.draw(SEED, updates=200, chats=5, kills=0)
    slow = {"CHAOS_SECONDS": "0.1"}
    account = Supervisor(town, town_database, control="no-lanes", **slow).run(plan, rate=1000)
    assert account.inversions > 0


@pytest.mark.long
@ON_SQLITE
def test_control_without_recognition_doubles(town: Town, town_database: Database) -> None:
    """The harness sees doubles: a bot that takes what Telegram repeats for new."""
    plan = Plan.draw(SEED, updates=100, chats=10, kills=0)
    supervisor = Supervisor(town, town_database, control="no-recognition")
    assert supervisor.run(plan, rate=1000).clean
    supervisor.start()
    repeated = list(town.telegram.sent)
    town.telegram.write(6001, 0)
    town.wait_for_work()
    town.telegram.again = repeated
    town.telegram.write(6001, 1)
    town.drain(town_database)
    account = town.account()
    assert account.doubled >= 100 and account.double_sends >= 100


@pytest.mark.long
@ON_SQLITE
def test_control_without_places_repeats_many(town: Town, town_database: Database) -> None:
    """The harness sees re-runs: a bot that begins ahead of its commits repeats too many."""
    plan = Plan.draw(SEED, updates=800, chats=100, kills=1)
    account = Supervisor(town, town_database, control="no-places").run(plan, rate=400)
    assert account.reruns_of_a_life > THREADS
