"""Crash points: a bot that ends at a named place is back at work soon, and every book is right."""

from __future__ import annotations

import itertools
import signal
from collections.abc import Iterator, Sequence
from subprocess import Popen

import pytest

from database import Database
from services import migrations
from tests.chaos import crash
from tests.chaos.town import Town, kill

THREADS = 32
BACK = 5.0
"""Seconds from the start to the first update that is handled."""
AROUND = ("before-inbox-commit", "after-inbox-commit", "after-handler", "after-group-commit")
"""The places of the short form; the long one has them all."""
ON_SQLITE = pytest.mark.parametrize("empty_database_url", ["sqlite"], indirect=True)


def walk(town: Town, database: Database, places: Sequence[str], updates: int) -> None:
    """End at each place in the middle of so many updates, start again, and account for it.

    At last Telegram repeats everything, and it is recognised.
    """
    numbers = itertools.count()
    write(town, numbers, 10)
    before = town.account()
    for last, place in itertools.pairwise(["the start", *places, ""]):
        bot = town.start(CHAOS_CRASH=place)
        assert town.wait_for_work() < BACK, last
        town.drain(database)
        account = town.account()
        assert account.clean, (last, account, town.complaints())
        assert account.repeats <= town.waits(), (last, account)
        assert account.reruns_of_a_life <= THREADS, (last, account)
        assert account.double_sends - before.double_sends <= THREADS, (last, account)
        before = account
        if place:
            end(town, bot, place, numbers, updates)
            town.note_kept(database)
    town.telegram.again = list(town.telegram.sent)
    write(town, numbers, 1)
    town.wait_for_work()
    town.drain(database)
    kill(bot)
    account = town.account()
    assert account.clean and account.recovered >= len(town.telegram.sent) - 1, account
    assert (account.reruns, account.double_sends) == (before.reruns, before.double_sends)


def end(town: Town, bot: Popen[bytes], place: str, numbers: Iterator[int], updates: int) -> None:
    """Let a bot end at a place, in the middle of a batch."""
    bot.send_signal(signal.SIGSTOP)  # so that what is written comes at once
    write(town, numbers, updates)
    crash.arm(town.journal).touch()
    if place == crash.IN_SEND:
        town.telegram.on_send = bot.kill
    bot.send_signal(signal.SIGCONT)
    code = bot.wait(20)
    assert code == (-signal.SIGKILL if place == crash.IN_SEND else crash.CODE), place
    town.telegram.on_send = int
    crash.arm(town.journal).unlink()


def write(town: Town, numbers: Iterator[int], updates: int) -> None:
    """Write to the bot, from 20 chats in turn."""
    for place in itertools.islice(numbers, updates):
        town.telegram.write(5001 + place % 20, place // 20)


@ON_SQLITE
def test_a_crash_around_a_commit_is_recovered(town: Town, town_database: Database) -> None:
    """Around each of the two commits, one after the other: nothing is lost or doubled."""
    walk(town, town_database, AROUND, 40)


@pytest.mark.long
@pytest.mark.parametrize("place", crash.PLACES)
def test_a_crash_among_many_is_recovered(town: Town, town_database: Database, place: str) -> None:
    """Each place with 200 updates on their way, three times in a row."""
    walk(town, town_database, [place] * 3, 200)


def torn(town: Town, database: Database, *control: str) -> set[str]:
    """What a migration leaves behind that ends in the middle: tables beside its history."""
    crash.arm(town.journal).touch()
    bot = town.start("migrate", *control, CHAOS_CRASH=crash.IN_MIGRATION)
    assert bot.wait(20) == crash.CODE, town.log.read_text()
    return {*database.get_tables()} - {migrations.core().history}


def test_a_crash_in_a_migration_is_finished_by_the_next(
    bare_town: Town, town_database: Database
) -> None:
    """Half of the tables made, and the process is gone: none is there; then all are."""
    core = migrations.core()
    assert torn(bare_town, town_database) == set()
    assert migrations.pending(town_database, [core])
    assert bare_town.start("migrate").wait(20) == 0
    assert migrations.pending(town_database, [core]) == []
    assert migrations.drift(town_database, core.models) == []


@ON_SQLITE
def test_control_without_a_transaction_half_a_migration_stays(
    bare_town: Town, town_database: Database
) -> None:
    """The test sees the tables that a migration left behind."""
    assert len(torn(bare_town, town_database, "no-transaction")) > 1
