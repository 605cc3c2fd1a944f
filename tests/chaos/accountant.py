"""The accountant: compares what was sent with what was handled, after a full drain."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Account:
    """The balance of a run; a run that kept every promise has zeros but for the re-runs."""

    lost: int
    unexpected: int
    miscounted: dict[int, tuple[int, int]]
    """By chat, what was counted and what should have been."""
    inversions: int
    reruns: int

    @property
    def clean(self) -> bool:
        return not (self.lost or self.unexpected or self.miscounted or self.inversions)


def balance(sent: Mapping[int, int], journal: Path, counters: Mapping[int, int]) -> Account:
    """Account for chats that were sent the numbers 0 … n-1.

    `sent` is n by chat, `counters` the users' total_messages by chat. Order is looked at within
    the life of each process: after a crash the updates that were running come once more.
    """
    begun: Counter[tuple[int, int]] = Counter()
    ended: set[tuple[int, int]] = set()
    lives: dict[tuple[int, int], list[int]] = defaultdict(list)
    for line in journal.read_text().splitlines() if journal.exists() else []:
        what, pid, chat, number = line.split()
        one = (int(chat), int(number))
        if what == "end":
            ended.add(one)
        else:
            begun[one] += 1
            lives[(int(pid), int(chat))].append(int(number))
    expected = {(chat, number) for chat, count in sent.items() for number in range(count)}
    return Account(
        lost=len(expected - ended),
        unexpected=len(set(begun) - expected),
        miscounted={
            chat: (counters.get(chat, 0), count)
            for chat, count in sent.items()
            if counters.get(chat, 0) != count
        },
        inversions=sum(a >= b for life in lives.values() for a, b in pairwise(life)),
        reruns=sum(begun.values()) - len(begun),
    )
