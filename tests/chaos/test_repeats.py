"""Repeats: Telegram delivers everything again and out of order; each update has effects once.

Order means: of what one delivery holds, by the numbers of the updates; over deliveries, as they
came. Telegram's own rule sees to the rest: a higher offset confirms whatever is lower, so an
update that was not delivered yet cannot be lower than one that was.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.testing import ChatKit
from database import Database
from models import Inbox as Row
from models import User
from tests.chaos.accountant import balance
from tests.chaos.city import City, Writer
from tests.chaos.post import message
from tests.chaos.run_citizen import Amnesiac
from tests.chaos.town import kill
from tests.chaos.twice import TwicePost, TwiceWitness

PLUGINS = [Path(__file__).parent / "misfits"]
PEOPLE = range(1, 13)
EACH = 10
SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def post() -> TwicePost:
    """Telegram in memory, in which everybody has written some numbers."""
    post = TwicePost()
    for number in range(EACH):
        for person in PEOPLE:
            post.queue(message(person, str(number)))
    return post


@pytest.fixture
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the plugin writes its numbers."""
    monkeypatch.setenv("CHAOS_JOURNAL", str(tmp_path / "journal"))


def replies(post: TwicePost) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for chat, text in post.sent:
        found.setdefault(chat, []).append(text)
    return found


def duplicates(kit: ChatKit) -> float | None:
    return kit.core.parts.metrics.registry.get_sample_value("bot_updates_duplicate_total")


@SQLITE
@pytest.mark.usefixtures("environ")
def test_what_comes_twice_has_effects_once(database: Database, post: TwicePost) -> None:
    """Every update twice and shuffled: one answer each, in order, and every repeat counted."""
    with ChatKit(PLUGINS, database=database, telegram=post) as kit:
        while post.waiting() or post.owed:
            kit.core.step()
        assert duplicates(kit) == post.repeats >= EACH * len(PEOPLE)
    once = [f"got {number}" for number in range(EACH)]
    assert replies(post) == {str(person): once for person in PEOPLE}
    assert {user.total_messages for user in User.select()} == {EACH}
    assert Row.select().where(Row.state == "done").count() == EACH * len(PEOPLE)


@SQLITE
@pytest.mark.usefixtures("environ")
def test_an_older_update_that_comes_later_is_handled_then(database: Database) -> None:
    """Nobody can put it before what was answered already; it is not lost."""
    post = TwicePost()
    first, second = (post.queue(message(1, text)) for text in "01")
    late = {**first, "update_id": first["update_id"] - 100}
    with ChatKit(PLUGINS, database=database, telegram=post) as kit:
        kit.step()
        post.owed = [late, second]
        kit.core.step()
        kit.core.step()
    assert replies(post) == {"1": ["got 0", "got 1", "got 0"]}


@SQLITE
@pytest.mark.usefixtures("environ")
def test_control_without_recognition_effects_double(
    database: Database, post: TwicePost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test sees a bot to which everything is new."""
    monkeypatch.setattr("bot.core.Inbox", Amnesiac)
    with ChatKit(PLUGINS, database=database, telegram=post) as kit:
        for _ in range(3):
            kit.core.step()
    assert any(len(texts) > EACH for texts in replies(post).values())


class Echoing(City):
    """A city whose Telegram says everything twice."""

    witness = TwiceWitness


@pytest.fixture
def echoing(city_database: Database, empty_database_url: str, tmp_path: Path) -> Iterator[City]:
    """Such a city on each engine."""
    city = Echoing(tmp_path, empty_database_url)
    city.make_tables(city_database)
    yield city
    city.close()


@pytest.mark.long
@pytest.mark.parametrize("kills", [0, 5])
def test_5000_updates_that_come_twice(
    echoing: Echoing, city_database: Database, kills: int
) -> None:
    """Five thousand at 200 a second, without and with five SIGKILLs: each counted once."""
    bot, writer, dice = echoing.start(), Writer(echoing, 200.0), random.Random(5)
    for _ in range(kills):
        echoing.wait_for_handled(echoing.handled() + 300 + dice.randrange(300), seconds=60)
        kill(bot)
        bot = echoing.start()
    writer.stop_after(max(0.0, 25.0 - len(writer.written) / 200.0))
    echoing.drain(city_database, seconds=90)
    telegram = echoing.telegram
    assert isinstance(telegram, TwiceWitness)
    echoing.until(lambda: not telegram.owed)
    counters = {user.telegram_id: user.total_messages for user in User.select()}
    found, counted = balance(writer.sent, echoing.journal, counters), 0.0
    counted = echoing.metric(bot, "bot_updates_duplicate_total") or 0.0
    answers = Counter(telegram.replies)
    again = answers.total() - len(answers)
    echoing.tell(
        f"{writer.sent.total()} updates, {telegram.repeats} repeats, {counted:.0f} counted by the"
        f" last process, {found}, {again} answers twice"
    )
    assert found.clean, (found, echoing.complaints())
    assert kills or (counted == telegram.repeats and not found.reruns and not again)
    assert max(found.reruns, again) <= 32 * kills
