"""Backups under load: of one moment, whole when they come back, and the bot goes on from there."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bot.backup import _models, _names, restore
from bot.loader import collect
from database import Database, Sqlite, bind, now, open_database
from services import archives
from services.snapshots import Reader
from settings import Secret, Settings
from staff import AuditEntry
from tests.chaos.accountant import Journal, One
from tests.chaos.city import Writer
from tests.chaos.town import HERE, Town, kill

RATE = 100.0
PLUGINS = (HERE / "plugins",)


@pytest.fixture
def second_url(empty_database_url: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of another empty database on the same engine."""
    if empty_database_url.startswith("sqlite"):
        return f"sqlite:///{tmp_path / 'second.db'}"
    url: str = request.getfixturevalue("make_postgres")("second")
    return url


@dataclass(frozen=True, slots=True)
class Books:
    """What a database says was accepted, done, counted and noted."""

    states: dict[int, tuple[int, str]]
    """By update its chat and its state."""
    counted: Counter[int]
    """By chat the person's messages."""
    noted: Counter[int]
    """By chat the events of messages."""

    @classmethod
    def read(cls, database: Database) -> Books:
        """Read the tables."""
        people = dict(ask(database, "SELECT id, telegram_id FROM users"))
        events = ask(
            database,
            "SELECT user_id, COUNT(*) FROM analytics_events WHERE event_type = 'message'"
            " GROUP BY user_id",
        )
        rows = ask(database, "SELECT update_id, lane, state FROM inbox")
        totals = ask(database, "SELECT telegram_id, total_messages FROM users")
        return cls(
            {number: (lane, state) for number, lane, state in rows},
            +Counter(dict(totals)),
            Counter({people[user]: count for user, count in events}),
        )

    def ids(self, state: str) -> set[int]:
        """The updates in a state."""
        return {number for number, (_, said) in self.states.items() if said == state}

    def disagreements(self, sent: list[int]) -> list[str]:
        """Where the tables are not of one moment: a sentence each."""
        found = []
        if sorted(self.states) != sent[: len(self.states)]:
            found.append("what was accepted is no beginning of what was sent")
        done = Counter(lane for lane, state in self.states.values() if state == "done")
        if done != self.counted:
            found.append(f"done {done - self.counted}, counted {self.counted - done} alone")
        if done != self.noted:
            found.append(f"done {done - self.noted}, noted {self.noted - done} alone")
        return found


def ask(database: Database, sql: str) -> list[Any]:
    return list(database.execute_sql(sql).fetchall())


@contextmanager
def restored(url: str, path: Path) -> Iterator[Database]:
    """A database that came back from a backup, open and bound: sound, and as the file says."""
    settings = Settings(database_url=Secret(url), plugins_path=PLUGINS)
    assert restore(settings, path) == 0
    database = bind(open_database(url))
    with database.connection_context(), path.open("rb") as file:
        assert faults(database) == []
        for table, count in archives.verify(file)["tables"].items():
            assert ask(database, f'SELECT COUNT(*) FROM "{table}"') == [(count,)], table
        yield database
    database.close_all()


def faults(database: Database) -> list[Any]:
    """What the engine itself finds wrong with a database."""
    if isinstance(database, Sqlite):
        checked = ask(database, "PRAGMA integrity_check")
        return [row for row in checked if row != ("ok",)] + database.orphans()
    return ask(database, "SELECT conname FROM pg_constraint WHERE NOT convalidated")


def sent(town: Town) -> dict[int, One]:
    """Chat and number of every update that was written, by its id, in order."""
    return {
        update["update_id"]: (update["message"]["chat"]["id"], int(update["message"]["text"]))
        for update in town.telegram.sent
    }


def go_on(town: Town, database: Database, url: str, at_death: set[int]) -> None:
    """Let a bot go on from a restored database; account for every update there is.

    `at_death` are the updates that the lost database had accepted when its bot was killed.
    """
    before, journal = Books.read(database), town.journal.with_name("journal of the second")
    begun = len(town.telegram.answers())
    bot = town.start(DATABASE_URL=url, CHAOS_JOURNAL=str(journal))
    town.drain(database)
    kill(bot)
    after, all_ = Books.read(database), sent(town)
    assert set(after.states) == after.ids("done")
    lost = set(all_) - set(after.states)
    assert lost <= at_death - set(before.states), "only what came after the backup may be gone"
    assert set(before.states) <= set(after.states)
    done = Counter(lane for lane, _ in after.states.values())
    assert after.counted == done and after.noted == done, "each is counted exactly once"
    ran = Journal.read(journal)
    afresh = {all_[number] for number in after.states.keys() - before.ids("done")}
    assert ran.ended == set(ran.begun) == afresh, "what was done is not done again, the rest is"
    assert afresh <= set(town.telegram.answers()[begun:])


def back_up_under_load(town: Town, database: Database, path: Path) -> tuple[int, int]:
    """Back up while the bot handles; how many updates were accepted before and after."""
    before = len(Books.read(database).states)
    town.run("backup", str(path))
    return before, len(Books.read(database).states)


def test_a_backup_under_load_comes_back_and_the_bot_goes_on(
    town: Town, town_database: Database, second_url: str, tmp_path: Path
) -> None:
    """At 100 updates a second: of one moment, and nothing is lost that Telegram or the file has."""
    bot = town.start()
    writer = Writer(town, RATE)
    town.wait_for_handled(50)
    low, high = back_up_under_load(town, town_database, tmp_path / "b")
    town.wait_for_handled(town.handled() + 50)
    kill(bot)
    at_death = set(Books.read(town_database).states)
    writer.write(50)
    writer.stop()
    with restored(second_url, tmp_path / "b") as database:
        books = Books.read(database)
        assert books.disagreements(list(sent(town))) == []
        assert low <= len(books.states) <= high and books.ids("done")
        go_on(town, database, second_url, at_death)


@pytest.mark.parametrize("empty_database_url", ["sqlite"], indirect=True)
def test_control_without_a_snapshot_the_tables_disagree(
    town: Town, town_database: Database, second_url: str, tmp_path: Path
) -> None:
    """The books see a backup whose tables are of different moments."""
    town.start()
    writer = Writer(town, RATE)
    town.wait_for_handled(50)
    with (tmp_path / "b").open("w+b") as file:
        registry = collect(PLUGINS)
        archives.write(
            file,
            each_by_itself(town, town_database),
            _models(registry),
            migrations=_names(registry),
            version="1",
            at=now(),
        )
    writer.stop()
    with restored(second_url, tmp_path / "b") as database:
        assert Books.read(database).disagreements(list(sent(town)))


def each_by_itself(town: Town, database: Database) -> Reader:
    """A reader of each table as it is by then; more is handled before the inbox is read."""

    def read(sql: str, params: Any = ()) -> list[tuple[Any, ...]]:
        if 'FROM "inbox"' in sql:
            town.wait_for_handled(town.handled() + 50)
        return list(database.execute_sql(sql, params).fetchall())

    return read


@pytest.mark.long
def test_backups_all_the_time_for_a_minute(
    town: Town, town_database: Database, second_url: str, tmp_path: Path
) -> None:
    """One after the other at 100 updates a second, with three kills of the bot: each is whole."""
    bot, kills = town.start(), [3, 6, 9]
    writer, end = Writer(town, RATE), time.monotonic() + 60
    made: dict[Path, tuple[int, int]] = {}
    for round_ in itertools.count():
        if time.monotonic() > end and not kills:
            break
        if round_ in kills:
            kills.remove(round_)
            kill(bot)
            bot = town.start()
        path = tmp_path / f"{round_}"
        made[path] = back_up_under_load(town, town_database, path)
    kill(bot)
    at_death = set(Books.read(town_database).states)
    writer.stop()
    for path, (low, high) in made.items():
        with restored(second_url, path) as database:
            books = Books.read(database)
            assert books.disagreements(list(sent(town))) == [], path
            assert low <= len(books.states) <= high
            if path == list(made)[-1]:
                go_on(town, database, second_url, at_death)
            else:
                empty(database)


def empty(database: Database) -> None:
    """Make room for the next one; of the audit, which keeps its rows, there are none."""
    for model in reversed(_models(collect(PLUGINS))):
        if model is not AuditEntry:
            model.delete().execute()
