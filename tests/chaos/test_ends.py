"""Ends: a SIGTERM is obeyed in time whatever the backlog; the next start does the rest."""

from __future__ import annotations

import itertools
import random
import signal
import time
from collections.abc import Iterator
from subprocess import Popen

import pytest

from database import Database
from tests.chaos.accountant import Account
from tests.chaos.town import Town, kill, waiting

SEED = 20260502
THREADS = 32
CHATS = 15
SLOW = {"CHAOS_SECONDS": "1"}
STUCK = {"CHAOS_SECONDS": "100000"}
IN_TIME = 20.0
AT_ONCE = 2.0
ON_SQLITE = pytest.mark.parametrize("empty_database_url", ["sqlite"], indirect=True)


def fill(town: Town, database: Database, numbers: Iterator[int], backlog: int) -> None:
    """Write until so many updates wait in the inbox."""
    deadline = time.monotonic() + 60
    while (there := waiting(database)) < backlog:
        assert time.monotonic() < deadline, there
        missing = max(0, backlog - there - town.telegram.pending())
        for place in itertools.islice(numbers, missing):
            town.telegram.write(5001 + place % CHATS, place // CHATS)
        time.sleep(0.02)


def terminate(bot: Popen[bytes]) -> tuple[int, float]:
    """Ask a bot to end; its exit code, and the seconds that it took."""
    since = time.monotonic()
    bot.send_signal(signal.SIGTERM)
    return bot.wait(60), time.monotonic() - since


def end_again_and_again(
    town: Town, database: Database, *, ends: int, backlog: int, control: str = ""
) -> Account:
    """End the bot as often, each time with so much in the inbox; drain and give the balance."""
    numbers, dice = itertools.count(), random.Random(SEED)
    for _ in range(ends):
        bot = town.start(*([control] if control else []), **SLOW)
        fill(town, database, numbers, backlog)
        town.wait_for_work()
        time.sleep(dice.uniform(0.0, 1.0))
        code, seconds = terminate(bot)
        print(f"exit {code} after {seconds:.2f} s")  # noqa: T201  the figures of the long form
        assert (code, seconds < IN_TIME) == (0, True), (SEED, code, seconds)
        assert waiting(database) > backlog / 2
        town.note_kept(database)
    bot = town.start()
    town.drain(database, seconds=120)
    kill(bot)
    account = town.account()
    assert account.clean, (SEED, account, town.complaints())
    return account


@ON_SQLITE
def test_an_end_with_a_backlog_leaves_nothing_half_done(
    town: Town, town_database: Database
) -> None:
    """A SIGTERM with 250 updates in the inbox: status 0, and no handler runs twice."""
    account = end_again_and_again(town, town_database, ends=1, backlog=250)
    assert (account.reruns, account.double_sends) == (0, 0)


@ON_SQLITE
def test_a_second_signal_ends_at_once(town: Town, town_database: Database) -> None:
    """It does not wait for the handlers; what they did not finish is done by the next start."""
    bot = town.start(**STUCK)
    begin(town, town_database)
    bot.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    assert bot.poll() is None
    code, seconds = terminate(bot)
    assert (code, seconds < AT_ONCE) == (128 + signal.SIGTERM, True), (code, seconds)
    finish(town, town_database)


@pytest.mark.long
def test_ten_ends_with_a_backlog_leave_nothing_half_done(
    town: Town, town_database: Database
) -> None:
    """Ten SIGTERMs with 5,000 updates in the inbox: each within 20 s, nothing runs twice."""
    account = end_again_and_again(town, town_database, ends=10, backlog=5000)
    assert (account.reruns, account.double_sends) == (0, 0)


@pytest.mark.long
@ON_SQLITE
def test_control_without_grace_handlers_run_twice(town: Town, town_database: Database) -> None:
    """The harness sees what is half done: a bot that does not wait for its handlers."""
    account = end_again_and_again(town, town_database, ends=1, backlog=250, control="no-grace")
    assert account.reruns > 0


@pytest.mark.long
@ON_SQLITE
def test_control_without_the_second_signal_it_takes_long(
    town: Town, town_database: Database
) -> None:
    """The test sees a bot that hears the first signal alone: it waits for its handlers."""
    bot = town.start("one-signal", **STUCK)
    begin(town, town_database)
    bot.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    code, seconds = terminate(bot)
    assert (code, seconds > AT_ONCE) == (0, True), (code, seconds)


@pytest.mark.long
def test_a_handler_that_does_not_end_is_abandoned(town: Town, town_database: Database) -> None:
    """SIGTERM with every thread in a handler without end: status 0 within 20 s all the same."""
    bot = town.start(**STUCK)
    begin(town, town_database)
    code, seconds = terminate(bot)
    print(f"exit {code} after {seconds:.2f} s")  # noqa: T201  the figures of the long form
    assert (code, seconds < IN_TIME) == (0, True), (code, seconds)
    finish(town, town_database)


def begin(town: Town, database: Database) -> None:
    """Fill every thread of a bot with a handler."""
    for place in range(3 * THREADS):
        town.telegram.write(5001 + place % (2 * THREADS), place // (2 * THREADS))
    deadline = time.monotonic() + 20
    while not town.journal.exists() or len(town.journal.read_text().splitlines()) < THREADS:
        assert time.monotonic() < deadline, town.complaints()
        time.sleep(0.02)


def finish(town: Town, database: Database) -> None:
    """Look that a new bot does all that is left, each once."""
    town.note_kept(database)
    town.start()
    town.drain(database)
    account = town.account()
    assert account.clean, (account, town.complaints())
    assert (account.reruns, account.double_sends) == (THREADS, 0)
