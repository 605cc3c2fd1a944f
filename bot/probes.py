"""Probes: looks at one thing each, all at once, and none longer than its time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias


class Tone(StrEnum):
    """How a finding is meant."""

    GOOD = "ok"
    NOTE = "note"
    BAD = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a probe has found; a bad one says what to do."""

    said: str
    tone: Tone = Tone.GOOD


Probe: TypeAlias = Callable[[], Iterable[Finding]]
"""Gives findings; may raise, and may hang."""


def good(said: str) -> Finding:
    """As it should be."""
    return Finding(said)


def note(said: str) -> Finding:
    """Neither good nor bad."""
    return Finding(said, Tone.NOTE)


def bad(said: str) -> Finding:
    """Something to mend."""
    return Finding(said, Tone.BAD)


def run(
    probes: Mapping[str, Probe], *, seconds: float, clock: Callable[[], float] = time.monotonic
) -> dict[str, list[Finding]]:
    """What each probe found, within so many seconds for all, which run side by side.

    One that hangs or raises is a finding too; what it raised may hold a secret and is not shown.
    """
    found: dict[str, list[Finding]] = {}
    threads = {name: _start(probe, found, name) for name, probe in probes.items()}
    end = clock() + seconds
    for thread in threads.values():
        thread.join(max(0.0, end - clock()))
    late = bad(f"It did not answer within {seconds:g} s: see whether it hangs.")
    return {name: found.get(name, [late]) for name in probes}


def _start(probe: Probe, found: dict[str, list[Finding]], name: str) -> threading.Thread:
    def look() -> None:
        try:
            found[name] = list(probe())
        except Exception as error:  # noqa: BLE001  a finding, which is told
            found[name] = [bad(f"It cannot be looked at ({type(error).__name__}): see the log.")]

    thread = threading.Thread(target=look, name=f"probe {name}", daemon=True)
    thread.start()
    return thread
