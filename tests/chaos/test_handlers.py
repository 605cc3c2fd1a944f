"""Handlers that do what none should: each harms its own chat, and only for as long as it must."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterable
from itertools import groupby
from pathlib import Path

import pytest

from bot.quarantine import KILLS
from database import Database
from models import Failure, User
from models import Inbox as Row
from tests.chaos.accountant import balance
from tests.chaos.city import Bot, City
from tests.chaos.town import waiting

SORRY = "Sorry, something went wrong. The owners have been told."
GIB = 1 << 30
RAISING = {
    "fail": "ValueError",
    "leave": "SystemExit",
    "descend": "RecursionError",
    "grab": "MemoryError",
}
DEADLY = ("vanish 1", "crash", "plunge", "starve")
OTHERS = range(5001, 5021)
SQLITE = pytest.mark.parametrize("empty_database_url", ["sqlite"], indirect=True)


def misbehave(city: City, words: Iterable[str]) -> dict[str, int]:
    """Each word in a chat of its own, three numbers after it, and three from everybody else."""
    chats = {word: 6001 + place for place, word in enumerate(words)}
    for word, chat in chats.items():
        city.telegram.write(chat, 0, word)
    for number in range(3):
        for chat in [*chats.values(), *OTHERS]:
            city.telegram.write(chat, number)
    return chats


def replies(city: City, chat: int) -> list[str]:
    return [text for to, text in city.telegram.replies if to == chat]


def numbers(*before: str) -> list[str]:
    return [*before, "got 0", "got 1", "got 2"]


def served(city: City, chats: Iterable[int]) -> bool:
    """Whether the three numbers of each chat are answered, in order."""
    return all(replies(city, chat)[-3:] == numbers() for chat in chats)


def failures() -> dict[int, str]:
    """How the update of each chat failed; each failed once."""
    rows = {int(row.chat_id or row.user_id or 0): row.error for row in Failure.select()}
    assert Failure.select().count() == len(rows)
    return rows


def counted() -> dict[int, int]:
    return {user.telegram_id: user.total_messages for user in User.select()}


def end(bot: Bot, *, seconds: float = 40.0) -> float:
    """Ask a process to end; the seconds that it took."""
    asked = time.monotonic()
    bot.send_signal(signal.SIGTERM)
    assert bot.wait(seconds) == 0
    return time.monotonic() - asked


def survive(city: City, bot: Bot, sleep: str, wake: Callable[[], object] = int) -> None:
    """Handlers that raise, sleep or leave threads: everybody is answered, the process stays up."""
    chats = misbehave(city, [*RAISING, sleep, "spawn"])
    dozing, spawning = chats.pop(sleep), chats.pop("spawn")
    city.until(lambda: served(city, [*OTHERS, *chats.values()]))
    assert replies(city, dozing) == []
    for word in RAISING:
        assert replies(city, chats[word]) == numbers(SORRY)
    expected = {chats[word]: error for word, error in RAISING.items()}
    city.until(lambda: failures() == expected)
    wake()
    city.until(lambda: served(city, [dozing]) and "later" in replies(city, spawning), seconds=60)
    assert replies(city, dozing) == numbers(f"got {sleep}")
    assert bot.poll() is None


@SQLITE
def test_a_handler_harms_only_its_own_chat(
    city: City, city_database: Database, tmp_path: Path
) -> None:
    """One that raises, exits, recurses, takes all memory, sleeps or leaves threads."""
    bot, bed = city.start(CHAOS_MEMORY=str(GIB)), tmp_path / "bed"
    survive(city, bot, f"nap {bed}", bed.touch)
    city.drain(city_database)
    assert set(counted().values()) == {3, 4} and len(failures()) == len(RAISING)
    assert end(bot) < 10


@pytest.mark.long
def test_a_handler_that_sleeps_30_seconds(city: City, city_database: Database) -> None:
    """As above, on each engine, with a longer sleep."""
    bot = city.start(CHAOS_MEMORY=str(GIB))
    survive(city, bot, "doze 30")
    city.drain(city_database)
    city.tell(f"ended in {end(bot):.1f} s")


@pytest.mark.long
def test_handlers_that_never_return(city: City, city_database: Database) -> None:
    """Waiting or working for ever: the others are served, the end comes in 20 s, they run again."""
    bot = city.start()
    chats = misbehave(city, ["stay", "spin"])
    city.until(lambda: served(city, OTHERS))
    city.until(lambda: not city.telegram.pending())
    took = end(bot)
    city.tell(f"ended in {took:.1f} s with two handlers that run")
    assert took < 20
    left = {(row.lane, row.state) for row in Row.select().where(Row.state != "done")}
    assert left == {(chat, "new") for chat in chats.values()}
    assert all(replies(city, chat) == [] for chat in chats.values())
    city.start()
    for number in range(3, 6):
        city.telegram.write(OTHERS[0], number)
    city.until(lambda: "got 5" in replies(city, OTHERS[0]))
    assert failures() == {}


@pytest.mark.long
def test_a_handler_that_hoards_all_memory(city: City, city_database: Database) -> None:
    """While nobody gets any more: what fails is kept and told, nothing is lost or out of order.

    When one of the bot's own threads gets none, the bot ends, and is started again.
    """
    bot = city.start(CHAOS_MEMORY=str(GIB // 2))
    chats = misbehave(city, ["hoard"])
    lives = 1
    deadline = time.monotonic() + 60
    while city.telegram.pending() or waiting(city_database):
        if bot.poll() is not None:
            bot, lives = city.start(CHAOS_MEMORY=str(GIB // 2)), lives + 1
        assert time.monotonic() < deadline, city.complaints()
        time.sleep(0.05)
    city.tell(f"{lives} lives, failures {failures()}")
    assert failures()[chats["hoard"]] == "MemoryError"
    for chat in set(OTHERS) - set(failures()):
        told = [text for text, _ in groupby(replies(city, chat))]  # what ran at a death runs again
        assert told[-3:] == numbers() and (lives > 1 or served(city, [chat]))


def fall(city: City, database: Database, *control: str, most: int) -> tuple[int, dict[str, int]]:
    """Start the bot again whenever it dies of its updates; how often it did."""
    chats, deaths = misbehave(city, DEADLY), 0
    while deaths < most and city.dies(city.start(*control), database):
        deaths += 1
    return deaths, chats


@pytest.mark.long
def test_what_ends_the_process_is_set_aside(city: City, city_database: Database) -> None:
    """Exits, segfaults, endless recursion in C, out of memory: each at most three deaths."""
    deaths, chats = fall(city, city_database, most=KILLS * len(DEADLY) + 1)
    city.drain(city_database)
    city.tell(f"{deaths} deaths by {len(DEADLY)} updates")
    assert KILLS <= deaths <= KILLS * len(DEADLY)
    assert failures() == dict.fromkeys(chats.values(), "ProcessKilled")
    sent = dict.fromkeys([*chats.values(), *OTHERS], 3)
    found = balance(sent, city.journal, counted())
    assert found.clean, (found, city.complaints())


@pytest.mark.long
@SQLITE
def test_control_without_quarantine_it_dies_for_ever(city: City, city_database: Database) -> None:
    """The test sees a bot that does not set aside what kills it."""
    most = KILLS * len(DEADLY) + 3
    deaths, _ = fall(city, city_database, "no-quarantine", most=most)
    assert deaths == most


@pytest.mark.long
@SQLITE
def test_control_in_one_lane_all_wait(city: City, city_database: Database) -> None:
    """The test sees a bot in which a chat that sleeps holds up the others."""
    city.start("one-lane")
    (dozing,) = misbehave(city, ["doze 3"]).values()
    city.until(lambda: served(city, OTHERS))
    assert replies(city, dozing)
