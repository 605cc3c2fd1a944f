"""The quarantine: who is blamed for a death, and when the blame is sure."""

from __future__ import annotations

import pytest

from bot.client import Stopping
from bot.inbox import Item
from bot.quarantine import CALM, Judgement, Quarantine


def recovered(attempts: int) -> Item:
    """An update that was read back from the table."""
    return Item(7, 1, 5, "message", {}, attempts=attempts, recovered=True)


@pytest.mark.parametrize(
    ("attempts", "judgement"),
    [
        (0, Judgement.WATCHED),
        (1, Judgement.SUSPECT),
        (2, Judgement.SUSPECT),
        (3, Judgement.GUILTY),
    ],
)
def test_the_starts_before_a_death_decide(attempts: int, judgement: Judgement) -> None:
    """Three starts without an end are one too many."""
    quarantine = Quarantine()
    quarantine.doubt([(7, 5)])
    assert quarantine.judge(recovered(attempts)) is judgement


@pytest.mark.parametrize(("attempts", "waited"), [(1, []), (2, [CALM - 4.0])])
def test_the_last_chance_comes_when_the_process_has_lived(
    attempts: int, waited: list[float]
) -> None:
    """Something else that ends the process every few seconds does not make an update guilty."""
    times, waits = iter([100.0, 104.0]), list[float]()
    quarantine = Quarantine(clock=lambda: next(times), wait=waits.append)
    with quarantine.alone(recovered(attempts)):
        assert waits == waited


def test_a_stop_takes_the_last_chance_back() -> None:
    """What waits for its last chance is not begun when the process stops meanwhile."""
    quarantine = Quarantine(wait=lambda _: True)
    with pytest.raises(Stopping), quarantine.alone(recovered(2)):
        raise AssertionError
