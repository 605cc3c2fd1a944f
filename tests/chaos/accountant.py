"""The accountant: compares what was sent with what was handled, after a full drain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

One: TypeAlias = tuple[int, int]
"""A numbered message: its chat and its number."""


@dataclass(frozen=True, slots=True)
class Account:
    """The balance of a run; one that kept every promise is clean."""

    lost: int
    """Sent and never handled to the end, or never answered."""
    unexpected: int
    """Handled and never sent."""
    doubled: int
    """Counted, or noted as an event, more than once."""
    miscounted: dict[int, One]
    """By chat, what was counted and what should have been."""
    recovered: int
    """Handled to the end although a start was cut off, or Telegram delivered it again."""
    inversions: int
    """Begun out of the order of its chat, beside another of it, or after it was committed."""
    reruns: int
    """Handlers that began once more."""
    reruns_of_a_life: int
    """The most that were repeated after the end of any one process."""
    repeats: int
    """Handlers that the same process began once more, as it does after an outage."""
    double_sends: int
    """Answers that came once more."""

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong; what was recovered, and how, is for the test to bound."""
        wrong = self.lost or self.unexpected or self.doubled or self.miscounted or self.inversions
        return not wrong


@dataclass(slots=True)
class Journal:
    """What the recording plugin wrote, and after each death what was committed by then.

    Within the life of a process the numbers of a chat do not fall, and none begins before the last
    one ended. After a crash a chat goes back, at most to the first that was not committed.
    """

    begun: Counter[One]
    ended: set[One]
    inversions: int = 0
    repeated: Counter[str] = field(default_factory=Counter)
    """By process, how many of its handlers began once more in another one."""
    repeats: int = 0

    @classmethod
    def read(cls, path: Path) -> Journal:
        """Read the lines, in the order in which they were written."""
        journal = cls(Counter(), set())
        last: dict[tuple[str, int], int] = {}
        kept: dict[int, int] = {}
        life_of: dict[One, str] = {}
        running: set[tuple[str, int]] = set()
        for line in path.read_text().splitlines() if path.exists() else []:
            what, life, chat, number = line.split()
            one = (int(chat), int(number))
            if what == "begin":
                journal.begun[one] += 1
                before = life_of.get(one, life)
                journal.repeated[before] += before != life
                journal.repeats += life_of.get(one) == life
                life_of[one] = life
                first = max(last.get((life, one[0]), 0), kept.get(one[0], 0))
                journal.inversions += one[1] < first or (life, one[0]) in running
                last[life, one[0]] = one[1]
                running.add((life, one[0]))
            elif what == "end":
                journal.ended.add(one)
                running.discard((life, one[0]))
            else:
                kept[one[0]] = one[1]
        return journal


def balance(
    sent: Mapping[int, int],
    journal: Path,
    counters: Mapping[int, int],
    *,
    events: Mapping[int, int] | None = None,
    replies: Iterable[One] | None = None,
    delivered: Mapping[One, int] | None = None,
) -> Account:
    """Account for chats that were sent the numbers 0 … n-1.

    By chat `sent` is n, `counters` the user's total_messages and `events` the number of message
    events. `replies` are the answers that Telegram got, `delivered` is how often it gave each
    message out. What is None is not looked at.
    """
    expected = {(chat, number) for chat, count in sent.items() for number in range(count)}
    read = Journal.read(journal)
    answers = Counter(replies) if replies is not None else Counter(expected)
    repeated = {one for one in expected if read.begun[one] > 1 or (delivered or {}).get(one, 0) > 1}
    finished = read.ended & set(answers)
    books = [counters] if events is None else [counters, events]
    return Account(
        lost=len(expected - finished),
        unexpected=len((set(read.begun) | set(answers)) - expected),
        doubled=sum(
            max(0, book.get(chat, 0) - sent.get(chat, 0)) for book in books for chat in book
        ),
        miscounted={
            chat: (book.get(chat, 0), count)
            for book in books
            for chat, count in sent.items()
            if book.get(chat, 0) != count
        },
        recovered=len(repeated & finished),
        inversions=read.inversions,
        reruns=read.begun.total() - len(read.begun),
        reruns_of_a_life=max(read.repeated.values(), default=0),
        repeats=read.repeats,
        double_sends=answers.total() - len(answers),
    )
