"""A plugin that fails on every update: suspended within its budget, and back when mended."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.breaker import FAILURES
from database import Database
from models import Failure
from services.plugins import suspensions
from tests.chaos.city import City, Writer
from tests.chaos.town import HERE

pytestmark = pytest.mark.long

SQLITE = pytest.mark.parametrize("empty_database_url", ["sqlite"], indirect=True)
ROUND = 10.0
PAIRS = 3
CHATS = range(8001, 8021)


@pytest.fixture
def city(city_database: Database, empty_database_url: str, tmp_path: Path) -> Iterator[City]:
    """A city with a plugin that fails while a file is there, beside one that does not."""
    folders = f"{HERE / 'fickle'}:{HERE / 'plugins'}"
    broken = tmp_path / "broken"
    environ = {"PLUGINS_PATH": folders, "CHAOS_BROKEN": str(broken), "CHAOS_REST": "1"}
    city = City(tmp_path, empty_database_url, **environ)
    city.make_tables(city_database)
    broken.touch()
    yield city
    city.close()


class Bothered(Writer):
    """A crowd that writes what the fickle plugin fails on."""

    def write(self, count: int) -> None:
        for _ in range(count):
            chat = self._chats[self.sent.total() % len(self._chats)]
            self._telegram.write(chat, self.sent[chat], f"bother {self.sent[chat]}")
            self.sent[chat] += 1


def state(city: City, bot: object) -> float | None:
    return city.metric(bot, 'bot_plugin_state{plugin="fickle"}')  # type: ignore[arg-type]


def mend_and_see(city: City, broken: Path) -> None:
    """Take the fault away: within a rest and a moment the plugin answers again."""
    broken.unlink()
    before = len(city.telegram.answered)

    def is_back() -> bool:
        city.telegram.write(9001, 0, "hello")
        time.sleep(0.2)
        return any(text == "fine hello" for _, text, _ in city.telegram.answered[before:])

    city.until(is_back)
    city.until(lambda: not suspensions())


@SQLITE
def test_a_plugin_that_always_fails_is_suspended_and_comes_back(
    city: City, city_database: Database, tmp_path: Path
) -> None:
    """After its budget, over a restart too, and for longer with each try until it is mended."""
    bot = city.start()
    for number in range(40):
        city.telegram.write(CHATS[0], number, f"bother {number}")
        city.telegram.write(CHATS[1], number)
    city.until(lambda: suspensions().get("fickle"))
    city.drain(city_database)
    assert FAILURES <= Failure.select().count() <= FAILURES + 2
    answered = [text for chat, text, _ in city.telegram.answered if chat == CHATS[1]]
    assert answered == [f"got {number}" for number in range(40)]
    city.until(lambda: state(city, bot) == -1)
    bot.terminate()
    assert bot.wait(20) == 0
    again = city.start()
    city.until(lambda: state(city, again) == -1)
    mend_and_see(city, tmp_path / "broken")
    city.until(lambda: state(city, again) == 1)


@SQLITE
def test_control_without_the_breaker_it_fails_for_ever(city: City, city_database: Database) -> None:
    """The test sees a bot that does not suspend it."""
    city.start("no-breaker")
    for number in range(40):
        city.telegram.write(CHATS[0], number, f"bother {number}")
    city.until(lambda: Failure.select().count() == 40)
    assert not suspensions()


def p99(city: City, writer: Writer) -> float:
    """The 99th percentile of the seconds from a number to its answer."""
    writer.stop_after(ROUND)

    def waits() -> list[float]:
        answered = {(chat, text): at for chat, text, at in list(city.telegram.answered)}
        none = float("inf")
        return [answered.get((c, f"got {n}"), none) - at for (c, n), at in writer.written.items()]

    city.until(lambda: float("inf") not in waits())
    return statistics.quantiles(waits(), n=100)[98]


def test_the_others_do_not_notice(city: City, city_database: Database, tmp_path: Path) -> None:
    """Their p99 is at most 1.5 times that beside the same plugin while it works, by rounds."""
    broken = tmp_path / "broken"
    broken.unlink()
    city.start()
    p99(city, Writer(city, 50, chats=range(5001, 5051)))
    found: dict[bool, list[float]] = {False: [], True: []}
    for place in range(2 * PAIRS):
        fails = bool(place % 2)
        broken.touch() if fails else broken.unlink(missing_ok=True)
        first = 50_000 + 100 * place
        bother = Bothered(city, 20, chats=CHATS)
        found[fails].append(p99(city, Writer(city, 50, chats=range(first, first + 50))))
        bother.stop()
        city.drain(city_database)
        assert not fails or "fickle" in suspensions()
    shown = [[round(1000 * one) for one in found[fails]] for fails in (False, True)]
    ratio = statistics.median(found[True]) / statistics.median(found[False])
    city.tell(
        f"p99 in ms: {shown[0]} beside a plugin that works, {shown[1]} that fails: {ratio:.2f}"
    )
    assert ratio <= 1.5
    mend_and_see(city, broken)
