"""The others, measured: how long they wait while chats sleep, and the memory of a long queue."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

import pytest

from database import Database
from tests.chaos.city import Bot, City, Writer
from tests.chaos.town import BOT_ID

pytestmark = pytest.mark.long

SLEEP = 30
ROUND = 20.0
PAIRS = 3
RATE = 100.0
MIB = 1024
QUEUE = 100_000
MOST = 64 * MIB
"""Kibibytes of resident memory above the idle bot."""


def p99(waits: list[float]) -> float:
    return statistics.quantiles(waits, n=100)[98]


def one_round(city: City, first_chat: int, seconds: float) -> float:
    """The 99th percentile of the answers to fifty chats of their own, at an even pace."""
    writer = Writer(city, RATE, chats=range(first_chat, first_chat + 50))
    writer.stop_after(seconds)
    city.until(lambda: not waits(city, writer).count(float("inf")))
    return p99(waits(city, writer))


def waits(city: City, writer: Writer) -> list[float]:
    """Seconds from each number to its answer; infinite while there is none."""
    answered = {(chat, text): at for chat, text, at in list(city.telegram.answered)}
    none = float("inf")
    return [answered.get((chat, f"got {n}"), none) - at for (chat, n), at in writer.written.items()]


def disturbed(city: City, database: Database, place: int, sleepers: int, behind: int) -> float:
    """A round while some chats sleep, with updates that wait behind, and with more that come."""
    beds = range(900_000 + 100 * place, 900_000 + 100 * place + sleepers)
    for chat in beds:
        city.telegram.write(chat, 0, f"doze {SLEEP}")
    for number in range(behind):
        for chat in beds:
            city.telegram.write(chat, number)
    city.until(lambda: not city.telegram.pending())
    found = one_round(city, 10_000 + 100 * place, ROUND)
    assert not [chat for chat, _, _ in city.telegram.answered if chat in beds]
    city.until(lambda: not city.telegram.pending(), seconds=60)
    city.drain(database, seconds=120)
    return found


@pytest.mark.parametrize(("sleepers", "behind"), [(1, 500), (5, 200)])
def test_sleeping_chats_do_not_slow_the_others(
    city: City, city_database: Database, sleepers: int, behind: int
) -> None:
    """The others' p99 is at most 1.5 times the undisturbed one, by rounds in turn."""
    city.start()
    one_round(city, 5_000, 5.0)
    quiet, loud = list[float](), list[float]()
    for place in range(PAIRS):
        quiet.append(one_round(city, 50_000 + 100 * place, ROUND))
        loud.append(disturbed(city, city_database, place, sleepers, behind))
    shown = [[round(1000 * one) for one in ones] for ones in (quiet, loud)]
    ratio = statistics.median(loud) / statistics.median(quiet)
    city.tell(f"p99 in ms: quiet {shown[0]}, {sleepers} asleep {shown[1]}, ratio {ratio:.2f}")
    assert ratio <= 1.5


def resident(bot: Bot) -> int:
    """Kibibytes of memory that a process has now."""
    lines = Path(f"/proc/{bot.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def fill(city: City, chats: int) -> None:
    """A hundred thousand updates wait."""
    queue = city.telegram._account(BOT_ID).queue
    for place in range(QUEUE):
        chat, number = 1_000_000 + place % chats, place // chats
        person = {"id": chat, "is_bot": False, "first_name": f"P{chat}"}
        home = {"id": chat, "type": "private", "first_name": f"P{chat}"}
        message = {"message_id": number + 1, "date": int(time.time()), "text": str(number)}
        assert queue.force({"message": {**message, "from": person, "chat": home}})


def grow(city: City, *control: str, chats: int) -> tuple[int, int]:
    """Kibibytes of the idle bot, and the most that it has above it while the queue is drained."""
    bot = city.start(*control)
    Writer(city, RATE).stop_after(5.0)
    city.until(lambda: not city.telegram.pending())
    time.sleep(3.0)
    idle, most = resident(bot), 0
    fill(city, chats)
    deadline = time.monotonic() + 240
    while city.telegram.pending() and time.monotonic() < deadline:
        most = max(most, resident(bot) - idle)
        time.sleep(0.2)
    return idle, most


@pytest.mark.parametrize("chats", [100, 20_000])
def test_a_queue_of_100_000_takes_little_memory(
    city: City, city_database: Database, chats: int
) -> None:
    """At most 64 MiB above the idle bot, and the order of each chat is kept."""
    idle, most = grow(city, chats=chats)
    left = city.telegram.pending()
    city.tell(f"idle {idle / MIB:.0f} MiB, at most {most / MIB:.1f} more, {left} left of {QUEUE}")
    assert most <= MOST
    check_order(city)


def check_order(city: City) -> None:
    seen: dict[str, int] = {}
    for line in city.journal.read_text().splitlines():
        what, _, chat, number = line.split()
        if what == "begin":
            assert int(number) - seen.get(chat, -1) in (0, 1)  # once more, after an outage
            seen[chat] = int(number)


def test_control_without_limits_memory_grows(city: City, city_database: Database) -> None:
    """The test sees a bot that keeps in memory whatever comes."""
    _, most = grow(city, "no-limit", chats=20_000)
    city.tell(f"at most {most / MIB:.1f} MiB more")
    assert most > MOST
