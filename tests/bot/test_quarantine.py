"""The quarantine: who is blamed for a death, and when the blame is sure."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from bot.inbox import Item
from bot.quarantine import CALM, KILLS, Judgement, Quarantine
from bot.testing import ChatKit
from database import Database
from models import Failure
from models import Inbox as Row
from tests.bot.test_lease import Clock

PLUGINS = [Path(__file__).parent / "plugins"]


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


@pytest.mark.parametrize(("attempts", "seconds"), [(1, 0.0), (2, CALM - 4.0 + CALM / 2), (3, 0.0)])
def test_the_last_chance_comes_when_the_process_has_lived(attempts: int, seconds: float) -> None:
    """Something else that ends the process every few seconds does not make an update guilty."""
    clock = Clock()
    quarantine = Quarantine(clock=clock, random=lambda: 0.5)
    quarantine.doubt([(7, 5)])
    clock.now += 4.0
    assert quarantine.postpones(recovered(attempts)) == seconds
    clock.now += CALM
    assert quarantine.postpones(recovered(attempts)) == 0.0


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("kills", [KILLS, 2**31])
def test_an_update_that_killed_three_times_is_set_aside(
    database: Database, monkeypatch: pytest.MonkeyPatch, kills: int
) -> None:
    """The next life keeps it as a failure and serves the others; without a bound it runs again."""
    with ChatKit(PLUGINS, database=database) as kit:
        kit.telegram.send(kit.bot_id, 1002, 1002, text="/ping")
        monkeypatch.setattr(kit.core.lanes, "put", lambda items: None)
        kit.core.seats[0].poller.step(0)
        Row.update(attempts=KILLS).execute()
        monkeypatch.setattr("bot.quarantine.KILLS", kills)
        kit.restart()
        assert kit.vera.send("/ping") == ["pong"]
        assert kit.bob.texts == ([] if kills == KILLS else ["pong"])
        aside = [row.error for row in Failure.select()]
        assert aside == (["ProcessKilled"] if kills == KILLS else [])


def test_without_another_thread_the_turn_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """A suspect that nobody can watch runs all the same, and the next one after it."""
    quarantine, ran = Quarantine(), list[int]()

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        for number in range(2):
            with quarantine.alone(recovered(1)):
                ran.append(number)
    assert ran == [0, 1] and not quarantine._turn.locked()


def test_a_last_chance_holds_up_nobody_else(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its chat waits, the others are served meanwhile; then it is handled as any other."""
    with ChatKit(PLUGINS, database=database) as kit:
        kit.telegram.send(kit.bot_id, 1002, 1002, text="/ping")
        monkeypatch.setattr(kit.core.lanes, "put", lambda items: None)
        kit.core.seats[0].poller.step(0)
        Row.update(attempts=2).execute()
        monkeypatch.setattr("bot.quarantine.CALM", 0.2)
        kit.restart()
        assert kit.bob.texts == [] and kit.vera.send("/ping") == ["pong"]
        deadline = time.monotonic() + 10
        while not kit.bob.texts:
            assert time.monotonic() < deadline
            kit.step()
        assert kit.bob.texts == ["pong"] and {row.state for row in Row.select()} == {"done"}


def test_a_last_chance_that_cannot_wait_comes_now(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no thread starts that would wait for it: its lane is not stranded, nor its place."""

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with ChatKit(PLUGINS, database=database) as kit:
        kit.telegram.send(kit.bot_id, 1002, 1002, text="/ping")
        monkeypatch.setattr(kit.core.lanes, "put", lambda items: None)
        kit.core.seats[0].poller.step(0)
        Row.update(attempts=2).execute()
        with monkeypatch.context() as patched:
            patched.setattr(threading.Timer, "start", refuse)
            kit.restart()
        assert kit.bob.texts == ["pong"] and {row.state for row in Row.select()} == {"done"}
        assert len(kit.core.ledger._places) == kit.core.parts.settings.threads
