"""Lanes: order within a chat, chats side by side, bounded memory."""

from __future__ import annotations

import random
import threading
import time
from typing import Any

import pytest

from bot.inbox import Item
from bot.lanes import Lanes


def item(number: int, lane: int = 1) -> Item:
    return Item(7, number, lane, "message", {"update_id": number})


class Table:
    """The inbox as the lanes see it: open rows by lane, with every read noted."""

    def __init__(self) -> None:
        self.rows: dict[tuple[int, int], list[Item]] = {}
        self.reads = 0

    def add(self, *items: Item) -> list[Item]:
        for one in items:
            self.rows.setdefault(one.key, []).append(one)
        return list(items)

    def load(self, key: tuple[int, int], skip: set[int], limit: int) -> list[Item]:
        self.reads += 1
        return [one for one in self.rows.get(key, []) if one.update_id not in skip][:limit]

    def done(self, one: Item) -> None:
        self.rows[one.key].remove(one)


def run_all(lanes: Lanes) -> None:
    while lanes.step():
        pass


def work(lanes: Lanes, stop: threading.Event) -> None:
    """Run what there is, as a thread of the crew does."""
    while not stop.is_set():
        try:
            if not lanes.step():
                time.sleep(0.001)
        except OSError:
            time.sleep(0.01)


def make(table: Table, ran: list[int], **options: Any) -> Lanes:
    """Lanes whose updates are committed the moment they ran."""

    def run(one: Item) -> bool:
        ran.append(one.update_id)
        table.done(one)
        lanes.release([one])
        return True

    lanes = Lanes(run, table.load, **options)
    return lanes


def test_a_lane_keeps_its_order_and_lanes_take_turns() -> None:
    """Updates of one chat run in order; another chat need not wait for all of them."""
    table, ran = Table(), list[int]()
    lanes = make(table, ran)
    lanes.put(table.add(item(1), item(2), item(3), item(4, lane=2)))
    run_all(lanes)
    assert ran == [1, 4, 2, 3]


@pytest.mark.parametrize("ran_before", [True, False])
def test_what_a_lane_read_before_it_was_put_runs_once(ran_before: bool) -> None:
    """A lane that catches up may find an update in the inbox before the poller hands it over."""
    table, ran = Table(), list[int]()
    lanes = make(table, ran)
    table.add(item(1))
    lanes.wake([(7, 1)])
    lanes.expect(7)
    fresh = table.add(item(2), item(3, lane=2))
    lanes.step()
    if ran_before:
        run_all(lanes)
    lanes.put(fresh)
    run_all(lanes)
    assert ran == [1, 2, 3] and not lanes.full() and lanes._size == 0
    lanes.expect(7)
    lanes.put(table.add(item(4)))
    run_all(lanes)
    assert ran == [1, 2, 3, 4]


def test_a_flood_of_one_chat_stays_in_the_inbox() -> None:
    """Above its limit a lane leaves updates in the inbox and reads them when it gets there."""
    table, ran = Table(), list[int]()
    lanes = make(table, ran, lane_limit=3)
    lanes.put(table.add(*(item(number) for number in range(10))))
    assert not lanes.full()
    run_all(lanes)
    assert ran == list(range(10)) and table.reads >= 3


def test_enough_in_memory_makes_the_poller_wait() -> None:
    """Full is what is held in memory, until its done marks are committed."""
    table = Table()
    lanes = Lanes(lambda one: True, table.load, limit=2)
    items = table.add(item(1), item(2, lane=2))
    lanes.put(items)
    assert lanes.full()
    run_all(lanes)
    assert lanes.full()
    lanes.release(items)
    assert not lanes.full()


def test_what_a_crash_left_is_read_from_the_inbox() -> None:
    """A woken lane reads its rows, and new updates queue behind them."""
    table, ran = Table(), list[int]()
    lanes = make(table, ran)
    table.add(item(1), item(2))
    lanes.wake([(7, 1)])
    lanes.put(table.add(item(3)))
    run_all(lanes)
    assert ran == [1, 2, 3]


def test_finished_but_uncommitted_updates_do_not_run_again() -> None:
    """A row that is still open because its group is not committed yet is not read again."""
    table, ran = Table(), list[int]()

    def run(one: Item) -> bool:
        ran.append(one.update_id)
        return True

    lanes = Lanes(run, table.load)
    lanes.put(table.add(item(1)))
    run_all(lanes)
    lanes.wake([(7, 1)])
    run_all(lanes)
    assert ran == [1]


def test_a_failing_read_is_tried_again() -> None:
    """An inbox that cannot be read leaves the lane scheduled, and the worker goes on."""
    table, ran, failures = Table(), list[int](), [OSError("away")]
    good = table.load

    def load(key: tuple[int, int], skip: set[int], limit: int) -> list[Item]:
        if failures:
            raise failures.pop()
        return good(key, skip, limit)

    table.load = load  # type: ignore[method-assign]
    lanes = make(table, ran)
    table.add(item(1))
    lanes.wake([(7, 1)])
    stop = threading.Event()
    worker = threading.Thread(target=work, args=(lanes, stop))
    worker.start()
    deadline = time.monotonic() + 5
    while not ran and time.monotonic() < deadline:
        time.sleep(0.01)
    stop.set()
    worker.join(5)
    assert ran == [1] and not worker.is_alive()


def test_a_lane_waits_until_the_turn_of_its_update_is_over() -> None:
    """What `run` leaves open keeps its lane, and no other, until it is told to go on."""
    table, ran, rings = Table(), list[int](), list[int]()

    def run(one: Item) -> bool:
        ran.append(one.update_id)
        return one.lane != 1

    lanes = Lanes(run, table.load, ring=lambda: rings.append(len(ran)))
    lanes.put(table.add(item(1), item(2), item(3, lane=2)))
    run_all(lanes)
    assert ran == [1, 3] and not lanes.idle((7, 1))
    lanes.advance((7, 1))
    run_all(lanes)
    assert ran == [1, 3, 2] and rings[-1] == 2


def test_threads_never_run_one_lane_twice_at_once() -> None:
    """With eight workers, tiny limits and 40 chats, every chat keeps its order."""
    table, lock, ran = Table(), threading.Lock(), dict[int, list[int]]()
    busy, overlaps = set[int](), []
    dice = random.Random(4)

    def run(one: Item) -> bool:
        with lock:
            if one.lane in busy:
                overlaps.append(one)
            busy.add(one.lane)
        time.sleep(dice.random() / 5000)
        with lock:
            busy.discard(one.lane)
            ran.setdefault(one.lane, []).append(one.update_id)
            table.done(one)
        lanes.release([one])
        return True

    def load(key: tuple[int, int], skip: set[int], limit: int) -> list[Item]:
        with lock:
            return table.load(key, skip, limit)

    lanes, stop = Lanes(run, load, lane_limit=3), threading.Event()
    workers = [threading.Thread(target=work, args=(lanes, stop)) for _ in range(8)]
    for worker in workers:
        worker.start()
    for start in range(0, 2000, 50):
        with lock:
            batch = table.add(*(item(n, dice.randrange(40)) for n in range(start, start + 50)))
        lanes.put(batch)
    deadline = time.monotonic() + 20
    while sum(map(len, ran.values())) < 2000 and time.monotonic() < deadline:
        time.sleep(0.02)
    stop.set()
    for worker in workers:
        worker.join(5)
    assert not overlaps
    assert sum(map(len, ran.values())) == 2000
    assert all(numbers == sorted(numbers) for numbers in ran.values())


def test_what_a_lane_found_in_the_inbox_is_not_run_again() -> None:
    """A batch is in the inbox a moment before it is put; a lane that is woken may be faster."""
    table, ran = Table(), list[int]()
    lanes = make(table, ran)
    lanes.expect(7)
    batch = table.add(item(1), item(2), item(3, lane=2))
    lanes.wake([(7, 1)])
    run_all(lanes)
    assert ran == [1, 2]
    lanes.put(batch)
    run_all(lanes)
    assert ran == [1, 2, 3] and lanes._size == 0
