"""The postmarks: compare what was to be sent with what was taken, after everything is over."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tests.chaos.clerk import Clerk, Window


@dataclass(frozen=True, slots=True)
class Balance:
    """What became of the messages; `wrong` names what must not be."""

    sent: int
    lost: int
    unexpected: int
    doubled: int
    """How many messages were taken beside the first of their kind."""
    inversions: int
    inside: int
    """Calls within the window of their chat."""
    probes: int
    """Most calls within one window for all, when it was told to a chat: they find that out."""
    crossing: int
    """Most calls that crossed one 429 for all on the way."""
    over: int
    """Messages that came faster than the limits."""
    doubts: int
    """Faults after which nobody can know whether the message was taken."""
    counted: int
    """What bot_sends_ambiguous_total says."""

    @property
    def wrong(self) -> list[str]:
        """The promises that were not kept."""
        kept = {
            "lost": self.lost == 0,
            "unexpected": self.unexpected == 0,
            "doubled": self.doubled <= self.doubts,
            "inversions": self.inversions == 0,
            "inside": self.inside == 0,
            "probes": self.probes <= 2,
            "crossing": self.crossing <= 31,
            "over": self.over <= self.sent / 100,
            "counted": self.counted == self.doubts,
        }
        return [name for name, held in kept.items() if not held]


def balance(letters: Mapping[int, Sequence[str]], clerk: Clerk, counted: float) -> Balance:
    """Account for every letter; in each chat they were to come in the order given."""
    came: defaultdict[int, list[str]] = defaultdict(list)
    for _, chat, text in clerk.taken:
        came[int(chat)].append(text)
    expected = Counter((chat, text) for chat, texts in letters.items() for text in texts)
    taken = Counter((chat, text) for chat, texts in came.items() for text in texts)
    places = {(chat, text): n for chat, texts in letters.items() for n, text in enumerate(texts)}
    orders = [[places.get((chat, text), -1) for text in texts] for chat, texts in came.items()]
    probed = Counter(window.event for window, _ in clerk.inside if window.chat is None)
    crossed = Counter(window.event for window, _ in clerk.crossing)
    return Balance(
        sent=expected.total(),
        lost=len(expected.keys() - taken.keys()),
        unexpected=len(taken.keys() - expected.keys()),
        doubled=taken.total() - len(taken),
        inversions=sum(a > b for order in orders for a, b in pairwise(order)),
        inside=len(clerk.inside) - probed.total(),
        probes=max(probed.values(), default=0),
        crossing=max(crossed.values(), default=0),
        over=clerk.over,
        doubts=len(clerk.doubts),
        counted=int(counted),
    )


def end_of(window: Window) -> float:
    """When a window was over."""
    return window.told + window.seconds
