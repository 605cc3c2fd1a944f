"""A sending: one call on its way with the courier, and what became of its first try."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.wire import Ambiguous, NeverSent, Reply

if TYPE_CHECKING:
    from bot.limits import Turn
    from bot.meter import Call


@dataclass(slots=True, eq=False)
class Sending:
    """A call whose answer nobody waits for; `turn` is its place in the limits' order."""

    method: str
    fields: Mapping[str, str]
    turn: Turn | None
    heard: Callable[[Sending], None]
    """Told when the first try has ended."""
    call: Call
    """The first try, for the meter."""
    outcome: Reply | NeverSent | Ambiguous | None = None
    """What the first try came to, unless it is fine; taken away by whoever goes on with it."""

    def take(self) -> Reply | None:
        """The first try's answer, once; then None. Raises what the first try raised."""
        outcome, self.outcome = self.outcome, None
        if isinstance(outcome, NeverSent | Ambiguous):
            raise outcome
        return outcome


def is_fine(outcome: Reply | NeverSent | Ambiguous) -> bool:
    """Whether Telegram did what it was called for, as far as a glance can tell."""
    return type(outcome) is Reply and outcome.status == 200 and outcome.body[:10] == b'{"ok":true'
