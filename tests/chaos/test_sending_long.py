"""Sending, the long form: Telegram's own limits, whole loads, and the controls of the process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.chaos.bureau import Bureau
from tests.chaos.clerk import DOUBTS, Clerk, Limits, Plan, scheme
from tests.chaos.correspondence import Correspondence
from tests.chaos.post_office import PostOffice
from tests.chaos.postmarks import Balance, end_of
from tests.chaos.test_sending import DOUBTFUL, FAST, GROUP, LONE, SEED, SLOW, crowd, numbered

pytestmark = pytest.mark.long

MINUTES = 12 * 60
ROUND_TRIP = 0.03


@pytest.fixture
def office() -> Iterator[PostOffice]:
    """A post office with Telegram's limits, as far away as Telegram is."""
    with closing(PostOffice(Limits(), delay=ROUND_TRIP)) as office:
        yield office


def by_process(office: PostOffice, folder: Path, plan: Plan, counts: dict[int, int]) -> Balance:
    """Everybody writes to a bot, which sends two letters for each message on the average."""
    office.clerk.plan = plan
    with closing(Correspondence(folder, office)) as correspondence:
        return correspondence.answer(counts, seconds=MINUTES)


def by_client(office: PostOffice, _folder: Path, plan: Plan, counts: dict[int, int]) -> Balance:
    """32 threads send as many letters."""
    office.clerk.plan = plan
    doubled = {chat: 2 * count for chat, count in counts.items()}
    return Bureau(office).send(numbered(doubled), seconds=MINUTES)


Send = Callable[[PostOffice, Path, Plan, dict[int, int]], Balance]
WAYS_IN = pytest.mark.parametrize("send", [by_process, by_client])


@WAYS_IN
def test_three_thousand_replies(office: PostOffice, tmp_path: Path, send: Send) -> None:
    """3,000 letters to 300 chats, 100 to one, 46 to a group: each once, in order, 1 % of 429s."""
    result = send(office, tmp_path, scheme(SEED, {}), {**crowd(300, 5), LONE: 50, GROUP: 23})
    report(office.clerk, result)
    assert result.wrong == [], result
    assert result.doubled == 0


@WAYS_IN
def test_refusals_hold_whom_they_are_for(office: PostOffice, tmp_path: Path, send: Send) -> None:
    """429s on 5 % of the letters, three for all, one of 60 s for one chat: others go on."""
    plan = scheme(
        SEED,
        {"429 3": 0.05},
        first={SLOW: "429 60"},
        nth={500: "429 3 all", 1500: "429 5 all", 2500: "429 3 all"},
    )
    result = send(office, tmp_path, plan, {SLOW: 5, **crowd(300, 5), LONE: 50})
    window = next(window for window in office.clerk.refused if window.chat == str(SLOW))
    meanwhile = [chat for when, chat, _ in office.clerk.taken if when < end_of(window)]
    report(office.clerk, result, f"{len(meanwhile)} taken within the 60 s")
    assert result.wrong == [], result
    assert str(SLOW) not in meanwhile
    assert len(meanwhile) > 1000


@WAYS_IN
def test_doubts_double_at_most_themselves(office: PostOffice, tmp_path: Path, send: Send) -> None:
    """2,000 letters, 2 % each of cuts and 5xx before and after the effect: none is lost."""
    result = send(office, tmp_path, scheme(SEED, DOUBTFUL), crowd(200, 5))
    report(office.clerk, result)
    assert result.wrong == [], result
    after = [doubt for doubt in office.clerk.doubts if doubt.endswith("after")]
    assert result.doubled == len(after)


@pytest.mark.parametrize(
    ("promise", "control", "shares"),
    [
        ("over", "", {}),
        ("inside", "no-pause", {"429 1": 0.1}),
        ("counted", "no-count", dict.fromkeys(DOUBTS, 0.05)),
        ("inversions", "no-lanes", {}),
        ("lost", "no-patience", {"429 1": 0.1}),
        ("doubled", "no-restraint", {}),
    ],
)
def test_a_process_without_a_guarantee_is_found(
    tmp_path: Path, promise: str, control: str, shares: dict[str, float]
) -> None:
    """Without limits, pauses, the count or lanes, with messages dropped or doubled."""
    unpaced = {"SEND_RATE": "0", "SEND_RATE_CHAT": "0", "SEND_RATE_GROUP": "0"}
    with (
        closing(PostOffice(FAST)) as office,
        closing(Correspondence(tmp_path, office, **({} if control else unpaced))) as correspondence,
    ):
        office.clerk.plan = scheme(SEED, shares)
        result = correspondence.answer({**crowd(10, 5), LONE: 8}, control)
    assert promise in result.wrong, result


def report(clerk: Clerk, result: Balance, more: str = "") -> None:
    """Print the figures, for whoever wants them: pytest -s."""
    seconds = clerk.taken[-1][0] - clerk.taken[0][0]
    for_all = sum(window.chat is None for window in clerk.refused)
    said = f"{result} in {seconds:.0f} s, {len(clerk.refused)} refused, {for_all} for all"
    print(f"\n{said} {more}")  # noqa: T201
