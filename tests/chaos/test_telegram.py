"""Telegram out of order: the bot waits without hammering, goes on at once, and loses nothing."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from database import Database, bind, open_database
from models import Failure
from tests.chaos.flow import Flow, Watched
from tests.chaos.gate import Fault, Gate, cut_off, cut_text, hang_up, page, refuse, reset

log = logging.getLogger(__name__)

RECOVERED = 5.0
"""Seconds from the end of a fault in which the bot is at work again."""
PER_SECOND = 2.0
"""Requests a second while a fault lasts, beside the first try of each thread."""
GIVEN_UP = 45.0
"""Seconds to connect and to read the answer, of a call and of a long poll."""
THREADS = 32
CONFLICT = "Conflict: terminated by other getUpdates request"


@pytest.fixture
def gate() -> Iterator[Gate]:
    """What stands between the bot and Telegram."""
    with closing(Gate()) as gate:
        yield gate


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """The town's database."""
    database = bind(open_database(f"sqlite:///{tmp_path}/test.db"))
    yield database
    database.close_all()


@pytest.fixture
def town(tmp_path: Path, gate: Gate, database: Database) -> Iterator[Watched]:
    """A town whose bot calls Telegram through the gate."""
    address = {"TELEGRAM_API_URL": f"http://127.0.0.1:{gate.port}"}
    with closing(Watched(tmp_path, f"sqlite:///{tmp_path}/test.db", **address)) as town:
        gate.telegram = town.telegram
        town.make_tables(database)
        yield town


def faults(gate: Gate) -> dict[str, Fault]:
    """What Telegram, or somebody on the way to it, may do to any call."""
    return {
        "502": refuse(502, "Bad Gateway"),
        "502 page": page("502 Bad Gateway"),
        "200 page": page("200 OK"),
        "half a text": cut_text,
        "half an answer": cut_off,
        "a byte a second": gate.drip,
        "nothing": gate.silence,
        "reset": reset,
        "closed": hang_up,
    }


def wait_for_calm(town: Watched, gate: Gate) -> None:
    """Wait until the bot has told Telegram its menus: those calls are answered, unlike the rest."""
    town.wait_for_handled(20)
    every = ("getUpdates", "sendMessage")
    town.wait_for(
        lambda: max(one.at for one in gate.asked if one.method not in every) < time.monotonic() - 2
    )


def disturb(town: Watched, gate: Gate, fault: Fault, method: str, seconds: float) -> float:
    """Let a fault last and see work go on soon after; gives the requests a second in it.

    The first try of each thread that sends does not count.
    """
    begun = gate.fail(fault, method)
    time.sleep(seconds)
    ended, replies = gate.heal(), len(town.replies)
    asked = [one for one in gate.asked if one.method == method and begun <= one.at < ended]
    recovered = town.wait_for(lambda: len(town.replies) > replies) - ended
    rate = (len(asked) - THREADS * (method != "getUpdates")) / seconds
    log.info("%s: %s asked in %s s, back after %.2f s", method, len(asked), seconds, recovered)
    assert recovered <= RECOVERED, town.complaints()
    return rate


def settle(town: Watched, database: Database, flow: Flow) -> None:
    """Drain, and account for every message: handled and counted once, answered or a failure."""
    town.drain(database, seconds=120)
    ambiguous = town.metric("bot_sends_ambiguous_total")
    account = flow.account()
    doubled, failed = len(town.replies) - len(set(town.replies)), Failure.select().count()
    log.info("%s, %s doubled of %s, %s failed", account, doubled, ambiguous, failed)
    assert account.clean, (account, town.complaints())
    assert doubled <= ambiguous
    assert len(set(flow.moments) - set(town.replies)) <= failed


@pytest.mark.long
@pytest.mark.parametrize("method", ["getUpdates", "sendMessage"])
@pytest.mark.parametrize("name", list(faults(Gate())))
def test_telegram_fails(
    town: Watched, gate: Gate, database: Database, name: str, method: str
) -> None:
    """Twenty seconds of each trouble: at most two requests a second, back within 5 s of its end."""
    bot = town.start()
    with Flow(town, rate=20, chats=50) as flow:
        wait_for_calm(town, gate)
        assert disturb(town, gate, faults(gate)[name], method, 20) <= PER_SECOND
    assert bot.poll() is None
    settle(town, database, flow)


@pytest.mark.long
@pytest.mark.parametrize("code", [401, 409])
def test_telegram_refuses_to_send(town: Watched, gate: Gate, database: Database, code: int) -> None:
    """A reply that is refused is no loss: its update is kept as a failure, and the bot goes on."""
    bot = town.start()
    with Flow(town, rate=20, chats=50) as flow:
        wait_for_calm(town, gate)
        gate.fail(refuse(code, "Refused"), "sendMessage")
        time.sleep(5)
        gate.heal()
    assert bot.poll() is None
    settle(town, database, flow)


def test_telegram_has_a_bad_day(town: Watched, gate: Gate, database: Database) -> None:
    """Cuts, a conflict, and a refused token: each is waited out or said, and nothing is lost.

    A conflict is told and stays; a refused token ends the process with code 2 and a sentence. The
    next start finds everything.
    """
    bot = town.start()
    with Flow(town, rate=50) as flow:
        town.wait_for_handled(50)
        disturb(town, gate, reset, "sendMessage", 0.5)
        assert disturb(town, gate, cut_off, "getUpdates", 1) <= PER_SECOND
        assert disturb(town, gate, refuse(409, CONFLICT), "getUpdates", 1) <= PER_SECOND
        told = "another process polls with the same bot token: stop one of the two"
        town.wait_for(lambda: told in town.complaints())
        gate.fail(refuse(401, "Unauthorized"), "getUpdates")
        assert bot.wait(10) == 2
        said = "Telegram refuses the token of bot 1000000001: set TELEGRAM_BOT_TOKEN to what"
        assert said in town.complaints()
    gate.heal()
    town.start()
    settle(town, database, flow)


@pytest.mark.long
def test_a_conflict_stays(town: Watched, gate: Gate, database: Database) -> None:
    """Twenty seconds of 409: it is told at most twice a second, and all is well 5 s after it."""
    bot = town.start()
    with Flow(town, rate=20) as flow:
        wait_for_calm(town, gate)
        assert disturb(town, gate, refuse(409, CONFLICT), "getUpdates", 20) <= PER_SECOND
    assert bot.poll() is None
    settle(town, database, flow)


@pytest.mark.long
@pytest.mark.parametrize("method", ["getUpdates", "sendMessage"])
def test_an_answer_that_is_lost_for_ever_is_given_up(
    town: Watched, gate: Gate, database: Database, method: str
) -> None:
    """A call whose answer never comes, and whose connection stays, ends by its time limit.

    Nobody can know sooner: a long poll is silent for 25 seconds when all is well.
    """
    bot = town.start()
    with Flow(town, rate=2, chats=5) as flow:
        wait_for_calm(town, gate)
        begun = gate.fail(gate.swallow, method)
        town.wait_for(lambda: any(one.at > begun and one.method == method for one in gate.asked))
        lost = gate.heal()
        time.sleep(2)
    everything = partial(set(flow.moments).issubset, town.replies)
    given_up = town.wait_for(everything, seconds=GIVEN_UP + RECOVERED) - lost
    log.info("%s given up after %.1f s", method, given_up)
    assert bot.poll() is None
    settle(town, database, flow)
