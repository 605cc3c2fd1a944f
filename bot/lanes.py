"""The lanes: updates of one chat one after the other, chats side by side."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from bot.inbox import Item, LaneKey


class Lane:
    """The updates of one chat that are in memory, and whether more wait in the inbox."""

    __slots__ = ("items", "key", "missed", "scheduled", "spilled")

    def __init__(self, key: LaneKey) -> None:
        self.key = key
        self.items: deque[Item] = deque()
        self.scheduled = False
        self.spilled = False
        self.missed = 0
        """How often something was left in the inbox for this lane."""


class Lanes:
    """Hands updates to whoever calls `step` so that no two of one lane run at once.

    `run` says whether the update's turn is over; when it is not, the lane goes on with `advance`.

    A lane keeps at most `lane_limit` updates in memory; what comes then stays in the inbox, where
    it is durable anyway, and is read when the lane gets there. So one chat's flood costs the
    others nothing. Above `limit` in all lanes the poller should wait: `full()`.
    """

    def __init__(
        self,
        run: Callable[[Item], bool],
        load: Callable[[LaneKey, set[int], int], list[Item]],
        *,
        limit: int = 2000,
        lane_limit: int = 100,
        ring: Callable[[], None] = lambda: None,
    ) -> None:
        """`ring` is called when there is something to run."""
        self._run = run
        self._ring = ring
        self._load = load
        self._limit = limit
        self._lane_limit = lane_limit
        self._lanes: dict[LaneKey, Lane] = {}
        self.ready: deque[Lane] = deque()
        """The lanes that have something to run, and do not run; who waits longest is first."""
        self._held: dict[LaneKey, set[int]] = {}
        """Ids in memory by lane: waiting, running, or finished and not yet committed."""
        self._read_early: dict[int, set[int]] = {}
        """By bot, ids that were read from the inbox between `expect` and `put`."""
        self._size = 0
        self._lock = threading.Lock()

    def expect(self, bot_id: int) -> None:
        """Say that a batch is about to be put into the inbox, where a lane may find it first."""
        with self._lock:
            self._read_early[bot_id] = set()

    def put(self, items: Sequence[Item]) -> None:
        """Queue updates that are in the inbox already, but for those that a lane found there."""
        with self._lock:
            early = {bot: self._read_early.pop(bot, ()) for bot in {i.bot_id for i in items}}
            for item in items:
                if item.update_id in early[item.bot_id]:
                    continue
                lane = self._lanes.get(item.key) or self._lanes.setdefault(item.key, Lane(item.key))
                if lane.spilled or len(lane.items) >= self._lane_limit:
                    lane.spilled = True
                    lane.missed += 1
                else:
                    self._hold(lane, item)
                self._schedule(lane)
        self._ring()

    def wake(self, keys: Iterable[LaneKey]) -> None:
        """Say that the inbox holds open updates for these lanes."""
        with self._lock:
            for key in keys:
                lane = self._lanes.get(key) or self._lanes.setdefault(key, Lane(key))
                lane.spilled = True
                lane.missed += 1
                self._schedule(lane)
        self._ring()

    def release(self, items: Iterable[Item]) -> None:
        """Forget updates whose done marks are committed."""
        with self._lock:
            for item in items:
                held = self._held.get(item.key)
                if held is None or item.update_id not in held:
                    continue
                self._size -= 1
                held.remove(item.update_id)
                if not held:
                    del self._held[item.key]

    def idle(self, key: LaneKey) -> bool:
        """Whether nothing of a lane is waiting or running."""
        return key not in self._lanes

    def busy(self) -> int:
        """How many lanes have something waiting or running."""
        return len(self._lanes)

    def full(self) -> bool:
        """Whether enough is in memory for the poller to wait."""
        return self._size >= self._limit

    def step(self) -> bool:
        """Run one update of the lane that waits longest; False when there was none to run."""
        try:
            lane = self.ready.popleft()
        except IndexError:
            return False
        over, item = True, None
        try:
            if item := lane.items.popleft() if lane.items else self._read(lane):
                over = self._run(item)
        finally:
            if over:
                self.advance(lane.key)
        return item is not None

    def advance(self, key: LaneKey) -> None:
        """Let a lane go on: the turn of its update is over."""
        with self._lock:
            lane = self._lanes[key]
            lane.scheduled = False
            if lane.items or lane.spilled:
                self._schedule(lane)
            else:
                del self._lanes[key]
                return
        self._ring()

    def _schedule(self, lane: Lane) -> None:
        if not lane.scheduled:
            lane.scheduled = True
            self.ready.append(lane)

    def _hold(self, lane: Lane, item: Item) -> None:
        lane.items.append(item)
        held = self._held.get(lane.key)
        if held is None:
            self._held[lane.key] = {item.update_id}
        else:
            held.add(item.update_id)
        self._size += 1

    def _read(self, lane: Lane) -> Item | None:
        """Take the lane's next updates from the inbox, without those still held in memory."""
        with self._lock:
            missed, held = lane.missed, set(self._held.get(lane.key, ()))
        items = self._load(lane.key, held, self._lane_limit)
        with self._lock:
            for item in items:
                self._hold(lane, item)
            if (early := self._read_early.get(lane.key[0])) is not None:
                early.update(item.update_id for item in items)
            lane.spilled = lane.missed != missed or len(items) >= self._lane_limit
        return lane.items.popleft() if items else None
