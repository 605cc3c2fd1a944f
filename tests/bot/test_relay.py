"""The relay: a group goes out without a waiting thread, and whatever happens is counted once."""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg2
import pytest

from bot.courier import Courier
from bot.inbox import Item
from bot.lease import Fenced, Lease
from bot.ledger import Entry
from bot.relay import PLANNED_EVERY, REST, Relay, _settle
from database import Database, Postgres, db
from models import AnalyticsEvent, User
from tests.bot.test_inbox import message
from tests.bot.test_ledger import Desk, states
from tests.conftest import HAS_POSTGRES

pytestmark = pytest.mark.parametrize(
    "database_url", ["postgres"] if HAS_POSTGRES else [], indirect=True
)


class Beaten(Relay):
    """A relay where somebody posts a group just after it was waited for; nobody hears of it."""

    beaten = False

    def finish(self) -> None:
        super().finish()
        if not self.beaten:
            self.beaten = self.post()

    def hear(self) -> None:
        """Nothing comes, as from a server that hangs."""


class Line:
    """A relay with all that it is connected to."""

    kind = Relay

    def __init__(self, database: Database, **options: Any) -> None:
        assert isinstance(database, Postgres)
        self.database, self.made = database, list[Any]()
        self.at = 100.0
        self.courier = Courier()
        self.desk = Desk(**options)
        self.relay = self.kind(
            self.desk.ledger, self.courier, self._connect, patience=5.0, clock=lambda: self.at
        )
        self.desk.ledger.relay = self.relay
        self.fault: Exception | None = None
        assert not self.relay.keep()

    def _connect(self) -> Any:
        if self.fault:
            raise self.fault
        self.made.append(self.database.begin_connection())
        return self.made[-1]

    def accept(self, count: int = 2) -> list[Item]:
        return self.desk.inbox.accept(7, [message(number) for number in range(1, count + 1)])

    def listen(self, seconds: float = 5.0) -> None:
        """Hear whatever comes next."""
        assert select.select([self.made[-1]], [], [], seconds)[0], "nothing came"
        self.courier.receive(0)

    def listen_until(self, over: Callable[[], bool]) -> None:
        for _ in range(100):
            if over():
                return
            self.courier.receive(0.05)
        raise AssertionError("it did not come to an end")


@pytest.fixture
def line(database: Database) -> Iterator[Line]:
    line = Line(database)
    yield line
    close(line)


def close(line: Line) -> None:
    line.courier.close()
    for connection in line.made:
        connection.close()


def with_connection(database: Database, work: Callable[[], object]) -> None:
    with database.connection_context():
        work()


def counted() -> int:
    return int(User.get(telegram_id=5).total_messages)


def test_a_group_is_sent_and_heard(line: Line) -> None:
    """Nobody waits: the places are free again when the answer was heard."""
    items = line.accept()
    line.desk.finish(*items, events=[("message", None, {"a": 1})])
    assert line.relay.post() and line.relay.busy and line.desk.released == []
    line.listen_until(lambda: not line.relay.busy)
    assert set(states().values()) == {"done"} and line.desk.released == [1, 2]
    assert counted() == 2 and line.desk.ledger.begin() == []
    assert AnalyticsEvent.select().where(AnalyticsEvent.event_type == "message").count() == 2
    assert [line.desk.ledger.admit() for _ in range(9)] == [True] * 8 + [False]


def test_a_full_group_is_sent_at_once_and_the_next_one_after_it(line: Line) -> None:
    """Whoever finishes the last update of a group sends it; one group is on its way at a time."""
    items = line.accept(8)
    assert line.desk.ledger.batch == 4
    line.desk.finish(*items[:4])
    assert line.relay.busy
    line.desk.finish(*items[4:])
    assert line.desk.ledger.step() == 0, "the ledger's own thread leaves it to the relay"
    line.listen_until(lambda: line.desk.released == [1, 2, 3, 4])
    assert line.relay.busy, "the next group went out with the answer"
    line.listen_until(lambda: len(line.desk.released) == 8)
    assert counted() == 8


def test_a_plan_is_made_anew_as_the_tables_grow(line: Line) -> None:
    """A plan for empty tables would walk through all open updates of a full one."""
    sent: list[str] = []
    for at in (0.0, 0.5, PLANNED_EVERY, PLANNED_EVERY + 0.5):
        line.at = 200.0 + at
        [item] = line.desk.inbox.accept(7, [message(1 + len(sent))])
        line.desk.ledger.add(Entry(item, counted=True))
        assert line.desk.ledger.help_out()
        sent.append(line.relay._cursor.query.decode())
        line.listen_until(lambda: not line.relay.busy)
    assert [query.startswith("DISCARD PLANS") for query in sent] == [True, False, True, False]
    assert all("EXECUTE stroke" in query for query in sent) and counted() == 4


def test_what_is_more_than_a_mark_goes_the_ordinary_way(line: Line) -> None:
    """A failure needs more than one statement."""
    (item,) = line.accept(1)
    assert line.desk.ledger.admit()
    line.desk.ledger.add(Entry(item, "unknown", "{}"))
    assert not line.relay.post() and not line.relay.busy and states() == {1: "new"}
    assert line.desk.ledger.step() == 1 and states() == {1: "unknown"}


def test_who_lost_the_lease_commits_nothing(line: Line) -> None:
    """The statement finds no lease; the ledger's thread says so, and keeps the group."""
    line.desk.finish(*line.accept())
    assert Lease("poller:7", owner="other", dead=lambda owner: True).step()
    assert line.relay.post()
    line.listen_until(lambda: not line.relay.busy)
    assert states() == {1: "new", 2: "new"} and line.desk.released == [] and counted() == 0
    assert not line.relay.post(), "after trouble the ledger's thread goes first"
    with pytest.raises(Fenced):
        line.desk.ledger.flush()


def test_a_connection_that_is_another_one_is_left(line: Line) -> None:
    """Behind a pool that gives each statement some connection, all goes the ordinary way."""
    line.relay._cursor.execute("DEALLOCATE ALL")
    _settle(line.made[-1])
    [item] = line.accept(1)
    line.desk.ledger.add(Entry(item, counted=True))
    assert line.desk.ledger.help_out()
    line.listen_until(lambda: not line.relay.busy)
    assert not line.relay.open and not line.relay.keep() and not line.relay.open
    line.desk.ledger.flush()
    assert counted() == 1
    line.at += REST
    assert not line.relay.keep() and line.relay.open


def test_a_connection_that_ends_before_the_answer(line: Line) -> None:
    """Whether the commit came through or not, the group is counted once, and the relay is back."""
    line.desk.finish(*line.accept())
    assert line.relay.post()
    end(line)
    line.listen_until(lambda: not line.relay.busy and not line.relay.open)
    assert line.desk.ledger.step() in {0, 2}
    assert set(states().values()) == {"done"} and counted() == 2 and line.desk.released == [1, 2]
    line.desk.finish(*line.desk.inbox.accept(7, [message(3)]))
    assert line.relay.post() and len(line.made) == 2
    line.listen_until(lambda: line.desk.released == [1, 2, 3])


def test_a_commit_whose_answer_is_lost(line: Line) -> None:
    """It is committed, nobody heard: the second try finds nothing open and counts nothing."""
    line.desk.finish(*line.accept())
    assert line.relay.post()
    for _ in range(500):
        if set(states().values()) == {"done"}:
            break
    line.at += 6.0
    assert not line.relay.keep() and not line.relay.busy, "it was given up"
    assert line.desk.released == [] and line.desk.ledger.flush() == 2
    assert counted() == 2 and line.desk.released == [1, 2]


def test_a_group_that_is_refused(line: Line) -> None:
    """It goes the ordinary way, where only the impossible entry loses its extras."""
    items = line.accept()
    line.desk.finish(items[0], events=[("message", 10**9, {})])
    line.desk.finish(items[1], events=[("message", None, {})])
    assert line.relay.post()
    line.listen_until(lambda: not line.relay.busy)
    assert states() == {1: "new", 2: "new"} and line.desk.ledger.flush() == 2
    assert set(states().values()) == {"done"} and line.desk.released == [1, 2]


def test_a_value_that_no_statement_takes(line: Line) -> None:
    """It is found before anything is sent: the group goes the ordinary way, and nothing hangs."""
    items = line.accept()
    line.desk.finish(items[0], events=[("a\0b", None, {})])
    line.desk.finish(items[1], events=[("message", None, {})])
    assert not line.relay.post() and line.relay.open
    assert line.desk.ledger.flush() == 2 and line.desk.released == [1, 2]
    assert set(states().values()) == {"done"}


def test_a_group_that_the_socket_does_not_take_at_once_goes_out(line: Line) -> None:
    """The rest is written while nobody hears anything; it is not given up for want of an answer."""
    line.desk.finish(*line.accept(), events=[("message", None, {"a": "x" * 8_000_000})])
    assert line.relay.post()
    for _ in range(200):
        if not line.relay.busy:
            break
        line.courier.receive(0.02)
        line.desk.ledger.step()
    assert line.desk.released == [1, 2] and counted() == 2 and len(line.made) == 1


def test_a_connection_that_takes_no_writes_is_replaced(line: Line) -> None:
    """One that was made in a read-only spell stays so when the spell is over."""
    line.relay._cursor.execute("SET default_transaction_read_only = on")
    _settle(line.made[-1])
    line.desk.finish(*line.accept())
    assert line.relay.post()
    line.listen_until(lambda: not line.relay.busy)
    assert not line.relay.open and line.desk.ledger.step() == 2 and len(line.made) == 2
    line.desk.finish(*line.desk.inbox.accept(7, [message(3)]))
    assert line.relay.post()
    line.listen_until(lambda: line.desk.released == [1, 2, 3])
    assert counted() == 3


def test_the_end_waits_for_what_is_on_its_way(line: Line) -> None:
    """The last commit of a process hears the answer itself when nobody listens any more."""
    items = line.accept(3)
    line.desk.finish(*items[:2])
    assert line.relay.post()
    line.desk.finish(items[2])
    assert line.desk.ledger.flush() == 1
    assert line.desk.released == [1, 2, 3] and counted() == 3


class BeatenLine(Line):
    """One with such a relay."""

    kind = Beaten


def test_a_commit_that_is_overtaken_waits_no_longer_than_the_group(database: Database) -> None:
    """A group that goes out at the last moment and has no answer is given up, and all is done."""
    line = BeatenLine(database)
    line.desk.finish(*line.accept())
    flushing = threading.Thread(target=with_connection, args=(database, line.desk.ledger.flush))
    flushing.start()
    while not line.relay.busy:
        time.sleep(0.001)
    flushing.join(0.2)
    assert flushing.is_alive(), "the group is on its way"
    line.at += 6.0
    flushing.join(10)
    assert not flushing.is_alive() and line.desk.released == [1, 2] and counted() == 2
    close(line)


def test_an_idle_connection_that_ends_is_replaced(line: Line) -> None:
    """The server may end it at any time; nothing was on its way."""
    end(line)
    line.listen()
    line.desk.finish(*line.accept())
    assert not line.relay.post(), "there is no connection"
    assert line.desk.ledger.step() == 2 and len(line.made) == 2


def test_without_a_connection_all_goes_the_ordinary_way(line: Line) -> None:
    """A server that takes no more connections is asked again later."""
    end(line)
    line.listen()
    line.fault = psycopg2.OperationalError("too many clients")
    line.desk.finish(*line.accept())
    assert line.desk.ledger.step() == 2 and len(line.made) == 1
    line.fault = None
    assert not line.relay.keep() and len(line.made) == 1
    line.at += REST
    assert not line.relay.keep() and len(line.made) == 2


def test_commits_wait_for_the_disk(database: Database) -> None:
    """Also where the server's own setting would not have them wait."""
    name = db.execute_sql("SELECT current_database()").fetchone()[0]
    db.execute_sql(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
    try:
        line = Line(database)
        cursor = line.made[0].cursor()
        cursor.execute("SHOW synchronous_commit")
        while line.made[0].poll():
            select.select([line.made[0]], [], [], 1)
        assert cursor.fetchone() == ("on",)
        line.courier.close()
        line.made[0].close()
    finally:
        db.execute_sql(f'ALTER DATABASE "{name}" RESET synchronous_commit')


def end(line: Line) -> None:
    """Have the server end the relay's connection."""
    pid = line.made[-1].get_backend_pid()
    assert db.execute_sql("SELECT pg_terminate_backend(%s)", (pid,)).fetchone() == (True,)
