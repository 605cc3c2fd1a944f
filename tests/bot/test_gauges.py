"""The gauges: the age of what waits, the disk, the last backup, and the whole way of an update."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from bot import gauges
from bot.counts import Counts
from bot.durations import Durations
from bot.kit import ChatKit
from bot.metrics import FROM_RECEIPT, SECONDS, Metrics
from database import Database
from services import backups
from settings import Secret, Settings
from staff import Message
from tests.bot.test_lease import Clock

AT = datetime(2026, 1, 2, 3, 4, 5)  # noqa: DTZ001  as the tables keep it


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(CollectorRegistry())


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def leave(state: str, seconds: int) -> None:
    """A message of the team that is as old as that."""
    at = AT - timedelta(seconds=seconds)
    Message.create(bot_id=1, chat_id=2, state=state, text="t", created_at=at, updated_at=at)


def test_the_oldest_queued_message_is_the_age(database: Database) -> None:
    """What is sent, or on its way, does not wait; with nothing queued the age is 0."""
    assert gauges.oldest_message(AT) == 0
    for state, seconds in (("sent", 900), ("sending", 600), ("queued", 60), ("queued", 30)):
        leave(state, seconds)
    assert gauges.oldest_message(AT) == 60
    Message.update(state="sent").execute()
    assert gauges.oldest_message(AT) == 0


def test_a_clock_that_was_put_back_makes_no_negative_age(database: Database) -> None:
    """Ages are never below 0."""
    leave("queued", -50)
    assert gauges.oldest_message(AT) == 0


def test_the_disk_is_that_of_the_data(tmp_path: Path) -> None:
    """An SQLite database's own folder is asked for; the ratio is between 0 and 1."""
    there = Settings(database_url=Secret(f"sqlite:///{tmp_path}/data/a.db"))
    assert gauges.place(there) == tmp_path / "data"
    elsewhere = Settings(database_url=Secret("postgresql://host/name"))
    assert gauges.place(elsewhere) in (Path("data"), Path())
    assert 0 < gauges.free_ratio(tmp_path) < 1


def test_without_a_backup_there_is_no_time_of_it(
    database: Database, tmp_path: Path, metrics: Metrics
) -> None:
    """The alert asks for the metric's absence; the newest backup's name gives the time."""
    name = "bot_backup_last_success_timestamp_seconds"
    folder = tmp_path / "backups"
    settings = Settings(database_url=Secret(f"sqlite:///{tmp_path}/a.db"), backup_folder=folder)
    gauges.measure(metrics, Settings(database_url=settings.database_url))
    gauges.measure(metrics, settings)
    folder.mkdir()
    (folder / "lost+found").mkdir()
    gauges.measure(metrics, settings)
    assert value(metrics, name) is None
    (folder / "notes.txt").touch()
    for second in (100, 300, 50):
        at = datetime.fromtimestamp(second, UTC)
        (folder / backups.name_of(at)).touch()
    gauges.measure(metrics, settings)
    gauges.measure(metrics, settings)
    assert value(metrics, name) == 300
    assert 0 < (value(metrics, "bot_disk_free_ratio") or 0) < 1


def test_an_age_grows_while_nobody_can_look(metrics: Metrics) -> None:
    """Between two looks it is what was found; once a look is overdue, all time since is added."""
    clock, name = Clock(), "bot_inbox_oldest_age_seconds"
    age = gauges.Age(metrics.inbox_oldest_age, clock)
    assert value(metrics, name) == 0
    age.set(20.0)
    clock.now += gauges.LATE
    assert value(metrics, name) == 20
    clock.now += 1
    assert value(metrics, name) == 21 + gauges.LATE
    age.set(0.0)
    assert value(metrics, name) == 0


def test_a_group_of_durations_is_counted_by_bucket() -> None:
    """Each falls into the first bucket that holds it; sum and count are those of all."""
    registry = CollectorRegistry()
    durations = Durations("a_seconds", "A.", (0.5, 2.0), registry)
    durations.observe({0.5: 3, 0.6: 1, 9.0: 2})
    found = {le: registry.get_sample_value("a_seconds_bucket", {"le": le}) for le in LIMITS}
    assert found == {"0.5": 3, "2.0": 4, "+Inf": 6}
    assert registry.get_sample_value("a_seconds_count") == 6
    assert registry.get_sample_value("a_seconds_sum") == pytest.approx(20.1)


def test_a_histogram_with_a_label_is_told_as_the_library_tells_it() -> None:
    """Line for line, whatever the label says."""
    dice = random.Random(1)
    seen = [(dice.choice(["a.b", 'q"\\\n', "é"]), dice.random() * 40) for _ in range(300)]
    theirs, ours = CollectorRegistry(), CollectorRegistry()
    histogram = Histogram("a_seconds", "A.", ["of"], buckets=SECONDS, registry=theirs)
    durations = Durations("a_seconds", "A.", SECONDS, ours, "of")
    for label, seconds in [*seen, ("a.b", 0.0), ("a.b", 0.01), ("a.b", 1e9)]:
        histogram.labels(label).observe(seconds)
        durations.labels(label).observe(seconds)
    lines = generate_latest(theirs).decode().splitlines()
    told = [line for line in lines if "_created" not in line]
    assert generate_latest(ours).decode().splitlines() == told


def test_a_counter_is_told_as_the_library_tells_it() -> None:
    """Line for line, whatever the labels say, and with no label at all."""
    dice = random.Random(2)
    theirs, ours = CollectorRegistry(), CollectorRegistry()
    counter = Counter("a_total", "A.", ["of", "by"], registry=theirs)
    counts = Counts("a", "A.", ("of", "by"), ours)
    for _ in range(300):
        labels = dice.choice(["a.b", 'q"\\\n', "é"]), dice.choice(["ok", ""])
        counter.labels(*labels).inc()
        counts.labels(*labels).inc()
    Counter("b_total", "B.", registry=theirs).inc(3)
    Counts("b", "B.", (), ours).labels().inc(3)
    lines = generate_latest(theirs).decode().splitlines()
    told = [line for line in lines if "_created" not in line]
    assert generate_latest(ours).decode().splitlines() == told


LIMITS = ("0.5", "2.0", "+Inf")


def test_the_objective_has_a_bucket() -> None:
    """Two seconds, which the recording rules ask for, is a bound."""
    assert 2.0 in FROM_RECEIPT
    assert list(FROM_RECEIPT) == sorted(set(FROM_RECEIPT))


def test_an_update_is_timed_from_its_receipt(kit: ChatKit) -> None:
    """Each update that is committed counts once, with the time since it was accepted."""
    kit.alice.send("/ping")
    kit.alice.send("/ping")
    metrics = kit.core.parts.metrics
    assert value(metrics, "bot_update_seconds_count") == 2
    assert (value(metrics, "bot_update_seconds_sum") or 0) < 5


def test_an_update_that_waited_in_the_inbox_is_slow(kit: ChatKit) -> None:
    """What is read back after a crash is timed from its first receipt too."""
    telegram, inbox = kit.telegram, kit.core.inbox
    telegram.send(kit.bot_id, 1002, 1002, text="/ping")
    seat = kit.core.seats[0]
    inbox.accept(kit.bot_id, seat.client.get_updates(timeout=0))
    kit.pass_time(seconds=45)
    kit.restart()
    metrics = kit.core.parts.metrics
    assert value(metrics, "bot_update_seconds_count") == 1
    assert value(metrics, "bot_update_seconds_bucket", le="30.0") == 0
    assert value(metrics, "bot_update_seconds_bucket", le="60.0") == 1
