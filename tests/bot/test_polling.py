"""The poller: the offset moves only after the commit, and every trouble is waited out or said."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

import psycopg2
import pytest

from bot.answer import Answer
from bot.client import Ambiguous, ApiTelegramException, NeverSent, Stopping
from bot.inbox import Item, LaneKey
from bot.lease import Fenced
from bot.polling import Poller, refusal
from database import Database
from models import Inbox as Row
from tests.bot.test_inbox import make, message
from tests.bot.test_lease import Clock


class Client:
    """A client whose answers are scripted: lists of updates, or exceptions."""

    bot_id = 7

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.offsets: list[int | None] = []
        self.seen_in_table: list[int] = []

    def get_updates(self, *, offset: int | None, **_: Any) -> list[dict[str, Any]]:
        self.offsets.append(offset)
        self.seen_in_table.append(Row.select().count())
        answer = self.answers.pop(0) if self.answers else []
        if isinstance(answer, Exception):
            raise answer
        return list(answer)


class Lanes:
    """Lanes that only note what they are given."""

    def __init__(self) -> None:
        self.items: list[Item] = []
        self.woken: set[LaneKey] = set()
        self.others = 0

    def expect(self, bot_id: int) -> None:
        pass

    def put(self, items: list[Item]) -> None:
        self.items += items

    def wake(self, keys: Iterable[LaneKey]) -> None:
        self.woken = {*self.woken, *keys}

    def idle(self, key: LaneKey) -> bool:
        return True

    def busy(self) -> int:
        return self.others

    def full(self) -> bool:
        return False


def refused(code: int, text: str, **parameters: Any) -> ApiTelegramException:
    body = {"error_code": code, "description": text, "parameters": parameters}
    return ApiTelegramException("getUpdates", Answer(code, body), body)  # type: ignore[no-untyped-call]


def make_poller(client: Client, **options: Any) -> tuple[Poller, Lanes]:
    lanes = Lanes()
    options = {
        "kinds": ["message"],
        "received": lambda *_: None,
        "allowed": lambda: True,
        "wait": lambda stop, _seconds: stop.wait(0.001),
    } | options
    return Poller(client, make(), lanes, **options), lanes  # type: ignore[arg-type]


def raise_outage(*_: Any, **__: Any) -> Any:
    raise psycopg2.OperationalError("server closed the connection unexpectedly")


def test_telegram_is_told_only_after_the_commit(database: Database) -> None:
    """A higher offset is asked for only when the batch is in the table."""
    client = Client([message(5), message(6)], [message(7)])
    poller, lanes = make_poller(client)
    assert [poller.step(0), poller.step(0), poller.step(0)] == [2, 1, 0]
    assert client.offsets == [None, 7, 8]
    assert client.seen_in_table == [0, 2, 3]
    assert [item.update_id for item in lanes.items] == [5, 6, 7]


def test_a_poll_is_good_when_what_it_brought_is_kept(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its time is noted after the commit; one that brings nothing is good too."""
    times = iter((100.0, 200.0))
    poller, _ = make_poller(Client([message(5)], [message(5)], []), unix=lambda: next(times))
    with monkeypatch.context() as broken:
        broken.setattr(database, "execute_sql", raise_outage)
        with pytest.raises(psycopg2.OperationalError):
            poller.step(0)
    assert poller.polled == 0
    poller.step(0)
    assert poller.polled == 100
    poller.step(0)
    assert poller.polled == 200


def test_only_what_begins_at_once_is_noted_as_begun(database: Database) -> None:
    """Where other chats keep the threads busy, a death says nothing against what waits."""
    client = Client([message(5)], [message(6)])
    poller, lanes = make_poller(client, threads=4)
    poller.step(0)
    lanes.others = 4
    poller.step(0)
    assert [item.attempts for item in lanes.items] == [1, 0]


def test_a_failed_commit_does_not_move_the_offset(database: Database) -> None:
    """The same updates are asked for again when the database refused them."""
    client = Client([message(5)], [message(5)])
    poller, lanes = make_poller(client)
    real = poller.inbox.accept
    poller.inbox.accept = lambda *_, **__: (_ for _ in ()).throw(OSError("disk"))  # type: ignore[method-assign]
    with pytest.raises(OSError, match="disk"):
        poller.step(0)
    poller.inbox.accept = real  # type: ignore[method-assign]
    poller.step(0)
    assert client.offsets == [None, None] and len(lanes.items) == 1


def test_repeated_updates_are_counted_and_dropped(database: Database) -> None:
    """What Telegram repeats is told to the metrics and goes no further."""
    counts: list[tuple[int, int]] = []
    client = Client([message(5)], [message(5), message(6)])
    poller, lanes = make_poller(
        client, received=lambda updates, again: counts.append((len(updates), again))
    )
    poller.step(0)
    poller.step(0)
    assert counts == [(1, 0), (2, 1)] and len(lanes.items) == 2
    assert lanes.woken == {(7, 5)}


def test_an_answer_without_updates_is_a_good_one(database: Database) -> None:
    """A bot to which nobody writes is seen to poll as well."""
    counts: list[tuple[int, int]] = []
    poller, _ = make_poller(
        Client([]), received=lambda updates, again: counts.append((len(updates), again))
    )
    poller.step(0)
    assert counts == [(0, 0)]


def test_updates_without_an_id_do_not_confuse_the_offset(database: Database) -> None:
    """An odd update is passed over and the rest confirmed."""
    client = Client([{"message": {}}, message(5)], [{"nothing": 1}], [])
    poller, _ = make_poller(client)
    for _ in range(3):
        poller.step(0)
    assert client.offsets == [None, 6, 6]


def test_entries_that_are_no_updates_are_left_out(database: Database) -> None:
    """The others are taken and confirmed; when there are only such, it pauses and asks again."""
    client = Client(["odd", 5, None, message(5)], [None], [message(6)])
    poller, lanes = make_poller(client)
    assert run_until(poller, lambda: len(lanes.items) == 2) == []
    assert client.offsets[:3] == [None, 6, 6]
    assert [item.update_id for item in lanes.items] == [5, 6]


def run_until(poller: Poller, done: Callable[[], bool]) -> list[Exception]:
    stop, failed = threading.Event(), list[Exception]()
    thread = threading.Thread(target=poller.run, args=(stop, failed.append))
    thread.start()
    for _ in range(500):
        if done() or not thread.is_alive():
            break
        stop.wait(0.02)
    stop.set()
    thread.join(10)
    assert not thread.is_alive()
    return failed


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        (NeverSent("no route"), "trying again"),
        (Ambiguous("cut"), "trying again"),
        (psycopg2.OperationalError("server closed the connection"), "database is away"),
        (refused(502, "Bad Gateway"), ""),
        (refused(409, "Conflict: terminated by other getUpdates request"), "stop one of the two"),
        (refused(409, "Conflict: can't use … while webhook is active"), "BOT_MODE=webhook"),
        (refused(429, "Too Many Requests", retry_after=0.1), ""),
        (refused(429, "Too Many Requests", retry_after=None), ""),
        (Stopping("lease"), ""),
        (Fenced("lease"), ""),
        (MemoryError(), "trying again"),
    ],
)
def test_passing_troubles_are_waited_out(
    database: Database, caplog: pytest.LogCaptureFixture, trouble: Exception, said: str
) -> None:
    """After any trouble that may pass, the poller goes on; a person can read what it was."""
    client = Client(trouble, [message(5)])
    poller, lanes = make_poller(client)
    assert run_until(poller, lambda: bool(lanes.items)) == []
    assert len(lanes.items) == 1 and said in caplog.text


@pytest.mark.parametrize(
    ("trouble", "code", "sentence"),
    [
        (refused(401, "Unauthorized"), 2, "TELEGRAM_BOT_TOKEN"),
        (refused(404, "Not Found"), 2, "TELEGRAM_BOT_TOKEN"),
        (ValueError("a bug"), 1, "ValueError"),
    ],
)
def test_what_does_not_pass_ends_the_poller(
    database: Database, trouble: Exception, code: int, sentence: str
) -> None:
    """A refused token, or a mistake of ours, ends polling with one sentence."""
    poller, _ = make_poller(Client(trouble))
    failed = run_until(poller, lambda: False)
    assert failed == [trouble] and refusal(trouble, 7)[0] == code
    assert sentence in refusal(trouble, 7)[1]


def test_full_lanes_or_a_lost_lease_stop_the_fetching(database: Database) -> None:
    """Telegram keeps the rest while memory is full or another process may be polling."""
    client, may = Client(), [False]
    poller, lanes = make_poller(client, allowed=lambda: may[0])
    run_until(poller, lambda: True)
    may[0], lanes.full = True, lambda: True  # type: ignore[method-assign]
    run_until(poller, lambda: True)
    assert client.offsets == []


def test_the_bot_introduces_itself_once(database: Database) -> None:
    """What must come before the first fetch is done once, and again only when it failed."""
    calls: list[int] = []

    def prepare() -> None:
        calls.append(1)
        if len(calls) == 1:
            raise NeverSent("not yet")

    clock = Clock()
    poller, _ = make_poller(Client([], []), prepare=prepare, clock=clock)
    with pytest.raises(NeverSent):
        poller.step(0)
    clock.now += 5
    poller.step(0)
    poller.step(0)
    assert len(calls) == 2 and poller.last_success == clock.now
