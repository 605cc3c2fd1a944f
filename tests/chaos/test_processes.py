"""Processes of one bot: one of them acts, the others stand by, whoever sleeps or dies."""

from __future__ import annotations

import signal
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import pytest

from database import Database, Sqlite, current
from models import User
from tests.chaos.accountant import Account, balance
from tests.chaos.city import Bot, City, Deed, Writer
from tests.chaos.town import kill

RATE = 100.0
GAP = 10.0
"""Seconds within which another process acts for the bot."""
THREADS = 32
BLINK = 0.5
"""Seconds in which what was under way when a process fell asleep leaves it as it wakes."""
SQLITE = pytest.mark.parametrize("empty_database_url", ["sqlite"], indirect=True)


def freeze(bot: Bot) -> float:
    """Stop a process, on SQLite not while it holds the file for a write; give the moment."""
    while True:
        bot.send_signal(signal.SIGSTOP)
        moment = time.monotonic()
        if writable(current()):
            return moment
        bot.send_signal(signal.SIGCONT)
        time.sleep(0.05)


def writable(database: Database) -> bool:
    """Whether somebody else may write to the file now."""
    if not isinstance(database, Sqlite):
        return True
    probe = sqlite3.connect(database.path, timeout=0.3, isolation_level=None)
    try:
        probe.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError:
        return False
    finally:
        probe.close()
    return True


def polls(city: City, bot: Bot, *, since: float = 0.0) -> list[Deed]:
    return [deed for deed in city.telegram.by(bot.pid, since=since) if deed.method == "getUpdates"]


def first_poll(city: City, bots: list[Bot], since: float) -> tuple[Bot, float]:
    """Wait for the first getUpdates of some processes after a moment; who made it, and when."""
    found: dict[int, float] = {}

    def look() -> bool:
        for bot in bots:
            if made := polls(city, bot, since=since):
                found[bot.pid] = made[0].begun
        return bool(found)

    city.until(look)
    pid = min(found, key=lambda one: found[one])
    return next(bot for bot in bots if bot.pid == pid), found[pid]


def overlaps(city: City, gone: Mapping[int, float]) -> list[tuple[Deed, Deed]]:
    """Polls of two processes at a time; the ones in `gone` were no more from a moment on."""
    made = [deed for deed in city.telegram.deeds if deed.method == "getUpdates"]
    made.sort(key=lambda deed: deed.begun)
    ends = {deed: min(deed.ended, gone.get(deed.pid, deed.ended)) for deed in made}
    return [
        (one, two)
        for place, one in enumerate(made)
        for two in made[place + 1 : place + 5]
        if two.pid != one.pid and two.begun < ends[one]
    ]


def conflicts(city: City, gone: Mapping[int, float]) -> list[Deed]:
    """The 409s that somebody read."""
    told = [deed for deed in city.telegram.deeds if deed.status == 409]
    return [deed for deed in told if deed.ended < gone.get(deed.pid, float("inf"))]


def account(city: City, writer: Writer) -> Account:
    counters = {user.telegram_id: user.total_messages for user in User.select()}
    return balance(writer.sent, city.journal, counters)


def doubled_replies(city: City) -> int:
    return len(city.telegram.replies) - len(set(city.telegram.replies))


def begun(city: City, bot: Bot) -> int:
    """How many handlers began in a process."""
    return sum(
        line.startswith(f"begin {bot.pid} ") for line in city.journal.read_text().splitlines()
    )


def start(city: City, count: int, *control: str, **environ: str) -> list[Bot]:
    """So many processes; the first one leads, the others are up and stand by."""
    bots = [city.start(*control, **environ)]
    city.until(lambda: polls(city, bots[0]))
    bots += [city.start(*control, **environ) for _ in range(count - 1)]
    for bot in bots[1:]:
        city.until(partial(city.stands_by, bot))
    return bots


def succeed(city: City, bots: list[Bot], leader: Bot) -> tuple[Bot, float]:
    """Kill the leader; who of the others polls then, and after how many seconds."""
    killed = time.monotonic()
    kill(leader)
    bots.remove(leader)
    follower, taken = first_poll(city, bots, killed)
    return follower, taken - killed


@dataclass(frozen=True, slots=True)
class Waking:
    """What was seen of a process that slept and woke."""

    gap: float
    """Seconds until another one polled."""
    under_way: int
    """Calls and handlers that had passed their check when it fell asleep, and left as it woke."""
    calls: int
    """What it asked of Telegram later."""
    begun: int
    """Handlers that began in it later."""
    stood_by: bool


def sleep_through(city: City, first: Bot, second: Bot, seconds: float) -> Waking:
    """One process sleeps for a while and wakes; the other one is there to take over."""
    asleep = freeze(first)
    _, taken = first_poll(city, [second], asleep)
    time.sleep(max(0.0, asleep + seconds - time.monotonic()))
    before, awake = begun(city, first), time.monotonic()
    first.send_signal(signal.SIGCONT)
    time.sleep(BLINK)
    blinked, left = begun(city, first), len(city.telegram.by(first.pid, since=awake))
    deadline = time.monotonic() + 20.0
    while not (stood_by := city.stands_by(first)) and time.monotonic() < deadline:
        time.sleep(0.05)
    calls = len(city.telegram.by(first.pid, since=awake)) - left
    later = begun(city, first) - blinked
    return Waking(taken - asleep, left + blinked - before, calls, later, stood_by)


def check_books(city: City, database: Database, writer: Writer, gone: dict[int, float]) -> Account:
    """Everything was handled, by one process at a time."""
    writer.stop()
    city.drain(database)
    found = account(city, writer)
    assert found.clean, (found, city.complaints())
    assert not overlaps(city, gone) and not conflicts(city, gone)
    return found


def oversleep(city: City, database: Database, seconds: float, **environ: str) -> None:
    """One is killed, the next one sleeps and wakes, the third is killed; the woken one follows."""
    bots = start(city, 3, **environ)
    writer, gone = Writer(city, RATE), dict[int, float]()
    city.wait_for_handled(50)
    gone[bots[0].pid] = time.monotonic()
    sleeper, first_gap = succeed(city, bots, bots[0])
    city.wait_for_handled(city.handled() + 50)
    other = next(bot for bot in bots if bot is not sleeper)
    gone[sleeper.pid] = time.monotonic()
    seen = sleep_through(city, sleeper, other, seconds)
    assert seen.stood_by and (seen.calls, seen.begun) == (0, 0) and seen.under_way <= THREADS
    found = check_books(city, database, writer, gone)
    _, last_gap = succeed(city, bots, other)
    writer.write(20)
    city.drain(database)
    city.tell(f"{seen}, gaps {first_gap:.1f} and {last_gap:.1f}, {found}")
    assert account(city, writer).clean, city.complaints()
    assert max(first_gap, seen.gap, last_gap) <= GAP
    assert found.reruns <= 2 * THREADS


@SQLITE
def test_one_of_three_acts_whoever_dies_or_sleeps(city: City, city_database: Database) -> None:
    """Killed, or stopped for longer than the lease: the next one acts, the woken one does not."""
    oversleep(city, city_database, 2.5, CHAOS_HURRY="1")


@pytest.mark.long
def test_a_process_that_slept_for_90_seconds_does_nothing(
    city: City, city_database: Database
) -> None:
    """As above with the real times: another one acts within ten seconds."""
    oversleep(city, city_database, 90.0)


@pytest.mark.long
def test_a_leader_killed_every_15_seconds_is_followed(city: City, city_database: Database) -> None:
    """Three processes, eight kills in two minutes: one polls at any time, the next within 10 s."""
    bots = start(city, 3)
    writer, gone, gaps = Writer(city, RATE), dict[int, float](), list[float]()
    leader = bots[0]
    for _ in range(8):
        time.sleep(15.0)
        gone[leader.pid] = time.monotonic()
        leader, gap = succeed(city, bots, leader)
        gaps.append(gap)
        bots.append(city.start())
    found = check_books(city, city_database, writer, gone)
    city.tell(f"gaps {[round(gap, 2) for gap in gaps]}, {found}, {doubled_replies(city)} twice")
    assert max(gaps) <= GAP
    assert max(found.reruns, doubled_replies(city)) <= 8 * THREADS


@pytest.mark.long
@SQLITE
def test_control_without_a_fence_the_woken_one_acts(city: City, city_database: Database) -> None:
    """The test sees what a process does that goes on after its lease."""
    first, second = start(city, 2, "no-fence", CHAOS_HURRY="1")
    writer = Writer(city, RATE)
    city.wait_for_handled(50)
    seen = sleep_through(city, first, second, 3.0)
    writer.stop()
    assert seen.calls and seen.begun and not seen.stood_by


@pytest.mark.long
@SQLITE
def test_control_without_a_lease_two_poll(city: City, city_database: Database) -> None:
    """The test sees two pollers, and the 409s that they get."""
    bots = [city.start("no-lease") for _ in range(2)]
    writer = Writer(city, RATE)
    city.until(lambda: all(len(polls(city, bot)) > 3 for bot in bots))
    city.until(lambda: overlaps(city, {}) and conflicts(city, {}))
    writer.stop()
