"""Families: metrics with labels, each label held to a closed set of values."""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar

OTHER = "other"
"""What a label says for a value outside its set."""

CHILD_co = TypeVar("CHILD_co", covariant=True)


class Labelled(Protocol[CHILD_co]):
    """A metric with labels."""

    def labels(self, *values: str) -> CHILD_co:
        """What is counted under these values."""


class Label:
    """The values one label may have: those known, and up to `room` more that are met.

    Room is for names that come from code, such as handlers; what a user typed gets none.
    """

    def __init__(self, *known: str, room: int = 0) -> None:
        self.known = {OTHER, *known}
        self.room = room

    def close(self, value: str) -> str:
        """Give the value when it belongs to the set, else `other`."""
        if value in self.known:
            return value
        if self.room <= 0:
            return OTHER
        self.room -= 1
        self.known.add(value)
        return value


class Family(Generic[CHILD_co]):
    """A metric with labels; calling it gives the child of these label values, bound once.

    After `most` children the first label of a new one says `other`: all families of a process
    together stay under 2,000 series, whatever is called and handled.
    """

    def __init__(self, metric: Labelled[CHILD_co], *labels: Label, most: int = 100) -> None:
        self.metric = metric
        self._labels = labels
        self._most = most
        self._bound: set[tuple[str, ...]] = set()
        self._children: dict[tuple[str, ...], CHILD_co] = {}

    def __call__(self, *values: str) -> CHILD_co:
        child = self._children.get(values)
        return self._bind(values) if child is None else child

    def preset(self, *values: str) -> None:
        """Begin at nothing, unless that leaves less than a quarter of the room for the rest."""
        if 4 * len(self._bound) < 3 * self._most:
            self(*values)

    def _bind(self, values: tuple[str, ...]) -> CHILD_co:
        closed = tuple(
            label.close(value) for label, value in zip(self._labels, values, strict=True)
        )
        if closed not in self._bound and len(self._bound) >= self._most:
            closed = (OTHER, *closed[1:])
        self._bound.add(closed)
        child = self.metric.labels(*closed)
        if closed == values:  # an unknown value is not kept: its number is not bounded
            self._children[values] = child
        return child
