"""The crew: one thread does everything, and a handler that blocks holds up its own chat alone."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest

from bot.courier import Courier
from bot.crew import Crew
from bot.inbox import Item
from bot.lanes import Lanes
from bot.ledger import Entry, Ledger
from database import Database, current
from tests.bot.test_inbox import message
from tests.bot.test_ledger import Desk, states
from tests.together import failure

PATIENT = 0.3
"""Seconds of patience for a crew that no busy machine makes lose it."""


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


class Silent:
    """A link over which nothing comes."""

    due, sock = math.inf, None

    def close(self) -> None:
        """There is nothing to close."""


class Mail(Courier):
    """A courier whose answers come when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.receives = 0
        self.came: deque[Callable[[], None]] = deque()

    @property
    def expected(self) -> int:
        """How many answers are to come."""
        return len(self.busy)

    @expected.setter
    def expected(self, count: int) -> None:
        links: list[Any] = [Silent() for _ in range(count)]
        self.busy = dict.fromkeys(links, self.hear)

    @staticmethod
    def hear(outcome: object) -> None:
        """What nobody calls."""

    def receive(self, timeout: float | None) -> None:
        self.receives += 1
        super().receive(timeout)
        while self.came:
            self.expected -= 1
            self.came.popleft()()

    def answer(self, heard: Callable[[], None] = lambda: None) -> None:
        """An answer comes in."""
        self.came.append(heard)
        self.wake()


class Places:
    """As much of a ledger as a crew needs: places for updates."""

    def __init__(self, free: int = 10**6) -> None:
        self.free = free

    def admit(self) -> bool:
        self.free -= self.free > 0
        return self.has_room()

    def has_room(self) -> bool:
        return self.free > 0

    def dismiss(self) -> None:
        self.free += 1

    def help_out(self) -> bool:
        return False


class Hall:
    """A crew at work on updates that are numbers, in lanes that are numbers."""

    def __init__(self, *, local: bool = False, patience: float = 0.002) -> None:
        self.stop, self.abandon = threading.Event(), threading.Event()
        self.mail, self.places = Mail(), Places()
        self.ran: list[tuple[int, int, int]] = []
        """Lane, number and thread of each update, when its handler had ended."""
        self.blocks: dict[int, threading.Event] = {}
        """What the handler of an update waits for."""
        self.begun: list[int] = []
        self.after: Callable[[Item], bool] = lambda item: True
        self.lanes = Lanes(self.handle, lambda *_: [], lane_limit=1000, ring=self.ring)
        self.crew = Crew(
            self.lanes,
            cast("Ledger", self.places),
            self.mail,
            stop=self.stop,
            abandon=self.abandon,
            local=local,
            patience=patience,
        )
        self.threads: list[threading.Thread] = []

    def ring(self) -> None:
        self.crew.ring()

    def handle(self, item: Item) -> bool:
        self.begun.append(item.update_id)
        if gate := self.blocks.get(item.update_id):
            gate.wait(10)
        self.ran.append((item.lane, item.update_id, threading.get_ident()))
        return self.after(item)

    def put(self, *updates: tuple[int, int]) -> None:
        """Queue updates, each a lane and a number."""
        self.lanes.put([Item(1, number, lane, "message", {}) for lane, number in updates])

    def start(self, threads: int = 3) -> None:
        for _ in range(threads):
            self.threads.append(threading.Thread(target=self.crew.work))
            self.threads[-1].start()
        wait_for(lambda: self.crew._asleep)

    def block(self, number: int) -> threading.Event:
        gate = self.blocks[number] = threading.Event()
        return gate

    def done(self, lane: int) -> list[int]:
        return [number for each, number, _ in self.ran if each == lane]

    def has_ended(self) -> bool:
        return not any(thread.is_alive() for thread in self.threads)

    def close(self) -> None:
        for gate in self.blocks.values():
            gate.set()
        self.stop.set()
        self.abandon.set()
        self.crew.end()
        wait_for(self.has_ended)
        self.mail.close()


@pytest.fixture
def hall() -> Iterator[Hall]:
    hall = Hall()
    yield hall
    hall.close()


@pytest.fixture
def calm() -> Iterator[Hall]:
    """A crew of much patience, with the database in this process."""
    hall = Hall(local=True, patience=PATIENT)
    yield hall
    hall.close()


# The lead


def test_one_thread_does_everything(calm: Hall) -> None:
    """As long as no handler blocks, the others are not woken for an update."""
    calm.start()
    for number in range(300):
        calm.put((number % 20, number))
    wait_for(lambda: len(calm.ran) == 300)
    assert len({thread for _, _, thread in calm.ran}) == 1
    assert all(calm.done(lane) == list(range(lane, 300, 20)) for lane in range(20))


def test_a_handler_that_blocks_loses_the_lead(hall: Hall) -> None:
    """The other chats go on within tens of milliseconds; its own chat waits, in order."""
    hall.start()
    gate, waits = hall.block(1), list[float]()
    hall.put((1, 1), (1, 2), (1, 3))
    wait_for(lambda: hall.begun == [1])
    for number in range(10, 20):
        since = time.monotonic()
        hall.put((2, number))
        wait_for(lambda: hall.done(2)[-1:] == [number])  # noqa: B023 - called at once
        waits.append(time.monotonic() - since)
    assert min(waits) < 0.05 and hall.done(1) == []
    gate.set()
    wait_for(lambda: len(hall.ran) == 13)
    assert hall.done(1) == [1, 2, 3] and hall.done(2) == list(range(10, 20))


def test_all_but_one_may_block(hall: Hall) -> None:
    """The last thread goes on alone, and each of the others when it can."""
    hall.start(4)
    gates = [hall.block(number) for number in (1, 2, 3)]
    hall.put((1, 1), (2, 2), (3, 3), (4, 4))
    wait_for(lambda: hall.done(4) == [4])
    hall.put((5, 5))
    wait_for(lambda: hall.done(5) == [5])
    for gate in gates:
        gate.set()
    wait_for(lambda: len(hall.ran) == 5)
    hall.put(*[(number, number) for number in range(6, 60)])
    wait_for(lambda: len(hall.ran) == 59)


def test_answers_are_heard_while_a_handler_blocks(hall: Hall) -> None:
    """A reply that is on its way ends its turn, whoever is stuck."""
    heard = threading.Event()
    hall.start()
    gate, hall.mail.expected = hall.block(1), 1
    hall.put((1, 1))
    wait_for(lambda: hall.begun)
    hall.mail.answer(heard.set)
    assert heard.wait(10) and not hall.ran
    gate.set()


@pytest.mark.parametrize("sleeps", [True, False])
def test_what_a_former_leader_sent_is_listened_for(hall: Hall, sleeps: bool) -> None:
    """Its reply goes out while the new leader sleeps, or is itself stuck: somebody listens."""
    heard = threading.Event()

    def send(item: Item) -> bool:
        if item.update_id == 1:
            hall.mail.expected += 1
        return True

    hall.after = send
    hall.start(4)
    first, second = hall.block(1), hall.block(2)
    hall.put((1, 1))
    hall.crew.send_on(lambda: None)
    wait_for(lambda: hall.begun == [1] and hall.crew._asleep)
    wait_for(lambda: not hall.crew._alarm.is_set())
    if not sleeps:
        hall.put((2, 2))
        wait_for(lambda: hall.begun == [1, 2])
    before = hall.mail.receives
    first.set()
    wait_for(lambda: hall.mail.receives > before)
    hall.mail.answer(heard.set)
    assert heard.wait(10)
    second.set()


def test_a_step_that_fails_costs_no_thread_and_no_place(
    hall: Hall, caplog: pytest.LogCaptureFixture
) -> None:
    """What falls through the last boundary is logged, and the lanes go on."""

    def fail(item: Item) -> bool:
        if item.update_id == 1:
            raise ValueError("fell through")
        return True

    hall.after, before = fail, hall.places.free
    hall.put((1, 1), (1, 2))
    error = failure(hall.crew.step)
    assert isinstance(error, ValueError) and hall.places.free == before
    hall.start()
    wait_for(lambda: hall.done(1) == [1, 2])
    hall.put((1, 1), (1, 2))
    wait_for(lambda: hall.done(1) == [1, 2, 1, 2])
    wait_for(lambda: "a lane failed" in caplog.text)


# Errands


def test_replies_leave_together_while_more_waits(hall: Hall) -> None:
    """All but those of the last two, whoever leads; who is stuck holds nothing back."""
    held: list[bool] = []
    hall.after = lambda item: held.append(hall.mail._holds) or True  # type: ignore[func-returns-value]
    hall.start()
    gate = hall.block(2)
    hall.put(*((number, number) for number in range(6)))
    wait_for(lambda: len(held) == 5)  # another thread leads, and has let go what was held
    assert held[:2] == [True, True] and held[-1] is False
    gate.set()
    wait_for(lambda: len(held) == 6)
    assert not hall.mail._holds


def test_a_courier_that_fails_costs_no_place(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    """The place that was taken for an update which did not begin is given back."""
    before = hall.places.free
    hall.put((1, 1), (2, 2))
    monkeypatch.setattr(hall.mail, "let_go", lambda: 1 // 0)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            hall.crew.step()
    assert hall.places.free == before


def test_nobody_sleeps_on_what_is_held(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    """It leaves before: nobody takes the lead from one who sleeps, however long that takes."""
    asleep: list[bool] = []
    real = hall.mail.let_go

    def let_go() -> None:
        asleep.append(hall.crew._asleep)
        real()

    monkeypatch.setattr(hall.mail, "let_go", let_go)
    hall.start()
    hall.put((1, 1), (2, 2))
    wait_for(lambda: len(hall.ran) == 2 and hall.crew._asleep)
    assert asleep and not any(asleep)


def test_alone_nobody_holds_replies_back(hall: Hall) -> None:
    """With no thread that would see to it, each reply leaves at once."""
    held: list[bool] = []
    hall.after = lambda item: held.append(hall.mail._holds) or True  # type: ignore[func-returns-value]
    hall.start(threads=1)
    hall.put(*((number, number) for number in range(6)))
    wait_for(lambda: len(held) == 6)
    assert not any(held)


def test_errands_come_before_updates(hall: Hall) -> None:
    """What was begun is ended before anything new begins."""
    done: list[str] = []

    def after(item: Item) -> bool:
        done.append("update")
        return True

    hall.after = after
    hall.put((1, 1), (2, 2))
    hall.crew.send_on(lambda: done.append("errand"))
    hall.crew.send_on(lambda: done.append("another"))
    while hall.crew.step():
        pass
    assert done == ["errand", "another", "update", "update"]


def test_an_errand_that_waits_loses_the_lead(hall: Hall) -> None:
    """A send that waits for Telegram holds up nobody else."""
    hall.start()
    gate = hall.block(0)

    def wait() -> None:
        gate.wait(10)

    hall.crew.send_on(wait)
    hall.put((1, 1))
    wait_for(lambda: hall.done(1) == [1])
    assert not gate.is_set()


def test_whatever_an_errand_raises_is_logged(hall: Hall, caplog: pytest.LogCaptureFixture) -> None:
    """An IndexError of its own is not taken for an empty queue."""

    def fail() -> None:
        raise IndexError("of its own")

    hall.crew.send_on(fail)
    assert isinstance(failure(hall.crew.step), IndexError)


# Work done for others


def test_work_is_done_by_the_leader(calm: Hall) -> None:
    """It has the interpreter anyway; what the work gives comes back."""
    calm.start()
    worker = calm.crew.perform(threading.get_ident)
    assert worker in {thread.ident for thread in calm.threads}


@pytest.mark.parametrize("error", [ValueError, TimeoutError, KeyboardInterrupt])
@pytest.mark.parametrize("stuck", [False, True])
def test_work_raises_where_it_was_asked_for(
    hall: Hall, calm: Hall, error: type[BaseException], stuck: bool
) -> None:
    """Whoever does it, and whatever it raises; the leader goes on."""
    place = calm
    if stuck:
        place, hall.crew.local = hall, True
    place.start(1)
    gate = place.block(1) if stuck else None
    if gate:
        place.put((1, 1))
        wait_for(lambda: place.begun)

    def work() -> None:
        raise error("of the work")

    with pytest.raises(error, match="of the work"):
        place.crew.perform(work)
    if gate:
        gate.set()
    place.put((2, 2))
    wait_for(lambda: place.done(2) == [2])


def test_work_is_done_here_when_the_leader_is_stuck(hall: Hall) -> None:
    """A fetched batch does not wait for a handler; it is done once."""
    done: list[int] = []
    hall.crew.local = True
    hall.start(1)
    gate = hall.block(1)
    hall.put((1, 1))
    wait_for(lambda: hall.begun)
    hall.crew.perform(lambda: done.append(threading.get_ident()))
    assert done == [threading.get_ident()]
    gate.set()
    wait_for(lambda: not hall.crew._errands)
    assert len(done) == 1


def test_work_is_done_here_where_nobody_leads(hall: Hall, calm: Hall) -> None:
    """Before the crew has begun, and where the database is elsewhere, nobody else is asked."""
    assert calm.crew.perform(threading.get_ident) == threading.get_ident()
    hall.start(1)
    assert hall.crew.perform(threading.get_ident) == threading.get_ident()


# The end


def test_a_stop_waits_for_what_is_on_its_way(hall: Hall) -> None:
    """Nothing new begins; an answer, and the errand it makes, are seen through."""
    done: list[str] = []
    hall.start()
    hall.mail.expected = 1
    hall.stop.set()
    hall.put((1, 1))
    before = hall.mail.receives
    hall.crew.end()
    wait_for(lambda: hall.mail.receives > before)
    assert all(thread.is_alive() for thread in hall.threads)
    hall.mail.answer(lambda: hall.crew.send_on(lambda: done.append("errand")))
    wait_for(hall.has_ended)
    assert done == ["errand"] and not hall.ran


def test_an_abandoned_crew_ends_at_once(hall: Hall) -> None:
    """An answer that does not come keeps nobody, nor does a handler that has just ended."""
    hall.start()
    hall.mail.expected = 1
    hall.stop.set()
    hall.crew.end()
    hall.abandon.set()
    hall.crew.end()
    wait_for(hall.has_ended)


# With a ledger


def test_a_local_ledger_is_helped_out(database: Database) -> None:
    """Whoever runs out of places commits; on a server that is left to the ledger's thread."""
    desk = Desk(slots=2)

    def run(item: Item) -> bool:
        desk.ledger.add(Entry(item))
        return True

    lanes = Lanes(run, desk.inbox.load)
    stop, mail = threading.Event(), Mail()
    crew = Crew(
        lanes, desk.ledger, mail, stop=stop, abandon=stop, local=current().local, patience=PATIENT
    )
    lanes.put(desk.inbox.accept(7, [message(number, number) for number in range(1, 8)]))
    while crew.step():
        pass
    done = [number for number, state in states().items() if state == "done"]
    assert sorted(done) == ([1, 2, 3, 4, 5, 6] if current().local else [])
    assert not desk.ledger.help_out() or current().local
    desk.ledger.flush()
    mail.close()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_troubles_are_left_to_the_ledger(database: Database) -> None:
    """Nothing is raised, nothing is lost, and nobody helps until its thread got through."""
    desk, tries = Desk(), list[int]()
    items = desk.inbox.accept(7, [message(1), message(2)])
    assert not desk.ledger.help_out()
    desk.finish(items[0])
    real = desk.ledger.commit_group

    def refuse(entries: object) -> None:
        tries.append(1)
        raise OSError("away")

    desk.ledger.commit_group = refuse  # type: ignore[method-assign]
    assert [desk.ledger.help_out() for _ in range(3)] == [False] * 3 and len(tries) == 1
    assert isinstance(failure(desk.ledger.flush), OSError) and desk.released == []
    desk.ledger.commit_group = real  # type: ignore[method-assign]
    assert not desk.ledger.help_out()
    assert desk.ledger.flush() == 1 and desk.released == [1]
    desk.finish(items[1])
    assert desk.ledger.help_out() and states() == {1: "done", 2: "done"}
