"""Sending: no call within a window, nothing dropped, order kept, every doubt counted.

The limits of Telegram are ten times as fast as its own; the long form has the real ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import bot.limits
from bot.client import Client
from tests.chaos.bureau import Bureau
from tests.chaos.clerk import DOUBTS, Limits, scheme
from tests.chaos.correspondence import Correspondence
from tests.chaos.post_office import PostOffice
from tests.chaos.postmarks import end_of
from tests.chaos.run_bot import Deaf, Eager, Hasty, Uncounted

SEED = 20260503
FAST = Limits(rate=300, chat=10, group=200)
REAL = Limits()
DOUBTFUL = dict.fromkeys(DOUBTS, 0.02)
LONE, SLOW, GROUP = 4999, 4998, -4997


@pytest.fixture
def office() -> Iterator[PostOffice]:
    """A post office with the fast limits."""
    with closing(PostOffice(FAST)) as office:
        yield office


def crowd(chats: int, each: int) -> dict[int, int]:
    """How many letters each of so many people gets."""
    return dict.fromkeys(range(5001, 5001 + chats), each)


def numbered(counts: dict[int, int]) -> dict[int, list[str]]:
    """The letters themselves."""
    return {chat: [str(number) for number in range(count)] for chat, count in counts.items()}


def test_threads_keep_to_the_limits(office: PostOffice) -> None:
    """32 threads, 30 chats and one with many letters: each once, in order, none too fast."""
    result = Bureau(office).send(numbered({**crowd(30, 8), LONE: 15}))
    assert result.wrong == [], result
    assert result.doubled == 0


def test_faults_drop_nothing_and_every_doubt_is_counted(office: PostOffice) -> None:
    """429s for one chat and for all, 5xx and cuts before and after the effect."""
    office.clerk.plan = scheme(SEED, {"429 1": 0.02, **DOUBTFUL}, nth={40: "429 1 all"})
    result = Bureau(office).send(numbered(crowd(24, 5)))
    assert result.wrong == [], (SEED, result)
    assert result.doubts > 0 and result.doubled > 0
    assert {window.chat is None for window in office.clerk.refused} == {True, False}


def test_a_window_of_one_chat_holds_no_other() -> None:
    """At full load, while one chat waits for its window to end, the others get their letters."""
    with closing(PostOffice(Limits(rate=60, chat=10, group=200))) as office:
        office.clerk.plan = scheme(SEED, {}, nth={58: "429 2"})
        result = Bureau(office).send(numbered(crowd(22, 3)))
    assert set(result.wrong) <= {"over"}, result
    window = office.clerk.refused[0]
    late = {chat for when, chat, _ in office.clerk.taken if when > end_of(window)}
    assert late == {window.chat}


def test_a_process_sends_every_answer(office: PostOffice, tmp_path: Path) -> None:
    """Returned texts, replies, several of them, and those of atomic handlers, over faults."""
    shares = {"429 1": 0.01, **DOUBTFUL}
    office.clerk.plan = scheme(SEED, shares, first={SLOW: "429 1"}, nth={60: "429 1 all"})
    with closing(Correspondence(tmp_path, office)) as correspondence:
        result = correspondence.answer({SLOW: 4, GROUP: 4, **crowd(18, 4)})
    assert result.wrong == [], (SEED, result, correspondence.town.complaints())
    assert result.doubts > 0 and len(office.clerk.refused) > 2


@pytest.mark.parametrize(
    ("promise", "limits", "client", "faults"),
    [
        ("over", bot.limits.Limits(0, 0, 0), Client, {}),
        ("inside", Deaf(300, 10, 200), Client, {5: "429 1"}),
        ("probes", Deaf(300, 10, 200), Client, {5: "429 1 all"}),
        ("counted", None, Uncounted, {5: "cut after", 9: "500 before"}),
        ("lost", None, Hasty, {5: "429 1"}),
        ("doubled", None, Eager, {}),
    ],
    ids=["no limits", "no pause", "no pause for all", "no count", "no patience", "no restraint"],
)
def test_the_accountant_sees_a_broken_promise(
    office: PostOffice, promise: str, limits: Any, client: Any, faults: dict[int, str]
) -> None:
    """Without limits, pauses or the count, with messages dropped or doubled: each is found."""
    office.clerk.plan = scheme(SEED, {}, nth=faults)
    result = Bureau(office, limits, client).send(numbered({**crowd(6, 3), LONE: 5}))
    assert promise in result.wrong
