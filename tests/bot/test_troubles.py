"""What goes wrong around the path: lost answers, odd exceptions, outages that are not ours."""

from __future__ import annotations

import asyncio
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from peewee import BigIntegerField

from bot.client import Ambiguous, Stopping
from bot.lease import Fenced, Lease
from bot.process import Process
from bot.testing import ChatKit
from database import Database
from models import AnalyticsEvent, Failure, Language, User
from models import Inbox as Row
from services import users
from tests.bot.test_lease import Clock
from tests.bot.test_several import FIRST, SECOND, TOKENS

PLUGINS = [Path(__file__).parent / "plugins"]
SORRY = "Sorry, something went wrong. The owners have been told."


@pytest.fixture
def kit(database: Database) -> Iterator[ChatKit]:
    """The bot with the trial plugin, on each engine."""
    with ChatKit(PLUGINS, database=database) as kit:
        yield kit


def outage() -> Exception:
    return psycopg2.OperationalError("server closed the connection unexpectedly")


def states() -> set[str]:
    return {row.state for row in Row.select()}


def become(kit: ChatKit, command: str, func: Callable[[Any], object]) -> None:
    """Let a command of the trial plugin do something else."""
    object.__setattr__(kit.registry.commands[command], "func", func)


def failing(*errors: BaseException) -> Callable[[Any], str]:
    """A handler that raises each error once and then answers."""
    left = list(errors)

    def handler(ctx: Any) -> str:
        if left:
            raise left.pop(0)
        return "pong"

    return handler


def test_a_batch_whose_commit_was_not_confirmed_is_handled(kit: ChatKit) -> None:
    """The rows are there, nobody was told: the redelivery finds them, and order is kept."""
    kit.bob.send("/ping")
    inbox, real, lost = kit.core.inbox, kit.core.inbox.accept, list[int]()

    def accept(*arguments: Any, **options: Any) -> Any:
        items = real(*arguments, **options)
        if items and not lost:
            lost.append(1)
            raise outage()
        return items

    inbox.accept = accept  # type: ignore[method-assign]
    kit.telegram.send(kit.bot_id, 1002, 1002, text="/ping")
    with pytest.raises(psycopg2.OperationalError):
        kit.step()
    kit.bob.send("later")
    kit.step()
    assert kit.bob.texts == ["pong", "pong", "? later"]
    assert states() == {"done"}


def test_what_runs_again_is_not_throttled_for_it(database: Database) -> None:
    """Re-runs in an outage, and replays by hand, cost the user nothing."""
    with ChatKit(PLUGINS, database=database, THROTTLE_RATE="0.001", THROTTLE_BURST="1") as kit:
        become(kit, "ping", failing(outage(), outage()))
        assert kit.bob.send("/ping") == ["pong"]


@pytest.mark.parametrize("error", [asyncio.CancelledError(), GeneratorExit()])
def test_whatever_a_handler_raises_ends_at_the_boundary(kit: ChatKit, error: BaseException) -> None:
    """Exceptions beside Exception are failures of the plugin as well."""
    become(kit, "ping", failing(error))
    assert kit.bob.send("/ping") == [SORRY]
    assert Failure.get().error == type(error).__name__


def test_an_exception_without_words_is_a_failure_too(kit: ChatKit) -> None:
    """An exception whose own text fails is recorded without one."""

    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    become(kit, "ping", failing(Mute()))
    assert kit.bob.send("/ping") == [SORRY]
    assert (Failure.get().error, Failure.get().message) == ("Mute", "")


def test_what_a_failed_handler_holds_is_let_go(kit: ChatKit) -> None:
    """It may be all memory, and the apology needs some."""
    held: list[weakref.ref[set[int]]] = []
    client, seen = kit.core.seats[0].client, list[object]()
    real = client.call

    def handler(ctx: Any) -> None:
        try:
            hoard = {1, 2, 3}
            held.append(weakref.ref(hoard))
            raise ValueError("inner")
        except ValueError as error:
            raise MemoryError from error

    def call(*arguments: Any, **options: Any) -> Any:
        seen.extend(ref() for ref in held)
        return real(*arguments, **options)

    client.call = call  # type: ignore[method-assign]
    become(kit, "ping", handler)
    assert kit.bob.send("/ping") == [SORRY]
    assert seen and not any(seen)
    assert 'raise ValueError("inner")' in Failure.get().traceback


def test_an_outage_that_is_not_ours_becomes_a_failure(
    kit: ChatKit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plugin whose own database stays away does not keep its chat waiting for ever."""
    monkeypatch.setattr(kit.core.parts.stop, "wait", lambda seconds=None: None)
    become(kit, "ping", failing(*(outage() for _ in range(50))))
    assert kit.bob.send("/ping") == [SORRY]
    assert Failure.get().error == "OperationalError"


def refusal() -> Exception:
    """What a server says while the database has another name, as in a restore by swap."""
    return psycopg2.OperationalError('FATAL:  database "bot" does not exist')


def test_a_database_that_is_refused_is_away(kit: ChatKit) -> None:
    """When the look at it fails otherwise than by an outage the update waits all the same."""
    real, free = kit.database.execute_sql, len(kit.core.ledger._places)
    looks = list[str]()

    def execute(sql: str, *arguments: Any) -> Any:
        if sql == "SELECT 1" and not looks:
            looks.append(sql)
            raise refusal()
        return real(sql, *arguments)

    kit.database.execute_sql = execute  # type: ignore[method-assign]
    become(kit, "ping", failing(outage()))
    assert kit.bob.send("/ping") == ["pong"]
    assert looks and states() == {"done"} and len(kit.core.ledger._places) == free


def test_a_commit_is_looked_for_until_the_database_tells(kit: ChatKit) -> None:
    """Also when the first look is refused: the update is neither stranded nor handled twice."""
    ledger, inbox, lost = kit.core.ledger, kit.core.inbox, list[str]()
    commit, reload, free = ledger.commit, inbox.reload, len(ledger._places)

    def lose(entries: Any) -> int:
        done = commit(entries)
        if not lost:
            lost.append("the answer")
            kit.database.commit()
            raise outage()
        return done

    def refuse(item: Any) -> bool:
        if len(lost) < 2:
            lost.append("the look")
            raise refusal()
        return reload(item)

    ledger.commit, inbox.reload = lose, refuse  # type: ignore[method-assign]
    assert kit.bob.send("/mark") == ["first", "rows: 1"]
    assert len(lost) == 2 and states() == {"done"} and len(ledger._places) == free


@pytest.mark.parametrize("times", [1, 2])
def test_a_transaction_that_a_handler_left_open_is_undone(
    kit: ChatKit, caplog: pytest.LogCaptureFixture, times: int
) -> None:
    """Its update is done all the same, once, and those after it are committed."""
    kit.bob.send("/ping")
    free, opened = len(kit.core.ledger._places), list[Any]()

    def handler(ctx: Any) -> str:
        for _ in range(times):
            opened.append(kit.database.atomic())
            opened[-1].__enter__()
        User.update(first_name="Left").execute()
        return "pong"

    become(kit, "ping", handler)
    for _ in range(3):
        assert kit.bob.send("/ping") == ["pong"]
    assert "left a transaction open" in caplog.text and not kit.database.in_transaction()
    assert states() == {"done"} and len(kit.core.ledger._places) == free
    user = User.get(telegram_id=1002)
    assert user.total_messages == 4 and user.first_name != "Left"


def test_a_connection_that_cannot_be_given_back_changes_nothing(
    kit: ChatKit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The update is done, and its place is given back once."""
    free, real, troubles = len(kit.core.ledger._places), kit.database.close, [outage()]

    def close() -> None:
        real()
        if troubles:
            raise troubles.pop()

    become(kit, "ping", lambda ctx: monkeypatch.setattr(kit.database, "close", close) or "pong")
    assert kit.bob.send("/ping") == ["pong"] and not troubles
    assert states() == {"done"} and len(kit.core.ledger._places) == free


def test_a_bug_of_ours_keeps_the_update(kit: ChatKit) -> None:
    """What falls through every boundary is recorded, and the lane goes on."""
    real, broken = kit.core.turns._through, list[int]()

    def through(turn: Any) -> None:
        if not broken:
            broken.append(1)
            raise LookupError("ours")
        real(turn)

    kit.core.turns._through = through
    assert kit.bob.send("/ping") == []
    assert Failure.get().message == "Core: ours" and states() == {"failed"}
    assert kit.bob.send("/ping") == ["pong"]


def test_replies_of_an_atomic_handler_outlive_an_outage_of_telegram(
    kit: ChatKit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are tried until they are out, each once, and in order."""
    monkeypatch.setattr(kit.core.parts.stop, "wait", lambda seconds=None: None)
    client, troubles = kit.core.seats[0].client, [Ambiguous("cut"), Ambiguous("cut")]
    real = client.call

    def call(method: str, *arguments: Any, **options: Any) -> Any:
        if method == "sendMessage" and kit.bob.texts == ["first"] and troubles:
            raise troubles.pop()
        return real(method, *arguments, **options)

    client.call = call  # type: ignore[method-assign]
    assert kit.bob.send("/mark") == ["first", "rows: 1"]
    assert not troubles and states() == {"done"}


def test_a_rollback_reaches_the_user_object(kit: ChatKit) -> None:
    """A language that an atomic handler set and lost is lost for the next update too."""
    kit.bob.send("/ping")

    def handler(ctx: Any) -> str:
        users.set_language(ctx.user, Language.RU)
        raise ValueError("no")

    become(kit, "mark", handler)
    kit.bob.send("/mark")
    become(kit, "ping", lambda ctx: ctx.lang)
    assert kit.bob.send("/ping") == ["en"]


def test_a_group_moves_where_rows_are_already(kit: ChatKit) -> None:
    """A row that the supergroup has by now stays; the others move, and nothing fails."""
    trial = sys.modules["steadygram_plugins.trial"]

    class Only(trial.plugin.Model.__base__):  # type: ignore[name-defined,misc]
        chat_id = BigIntegerField(unique=True)

    kit.database.create_tables([Only])
    kit.registry.plugins["trial"].models.append(Only)
    for chat_id in (-5, -77):
        Only.create(chat_id=chat_id)
    old = {"id": -5, "type": "group", "title": "Old"}
    sender = {"id": 1001, "is_bot": False, "first_name": "Alice"}
    message = {"message_id": 99, "date": 1, "from": sender, "chat": old}
    kit.telegram.push(kit.bot_id, {"message": {**message, "migrate_to_chat_id": -77}})
    kit.step()
    assert states() == {"done"}
    assert sorted(row.chat_id for row in Only.select()) == [-77, -5]


def test_an_event_that_is_no_json_fails_in_its_handler(kit: ChatKit) -> None:
    """The mistake is the plugin's, before anything is committed."""
    become(kit, "ping", lambda ctx: ctx.track("odd", value=object()))
    assert kit.bob.send("/ping") == [SORRY]
    assert Failure.get().error == "TypeError"
    assert AnalyticsEvent.select().where(AnalyticsEvent.event_type == "odd").count() == 0


@pytest.mark.parametrize(
    "odd", ["a\0b", "a\ud800b", float("nan"), float("-inf"), ["\0", {"\0": "b"}]]
)
def test_what_a_database_cannot_hold_costs_no_count(kit: ChatKit, odd: object) -> None:
    """An event that a plugin counts is stored without it, beside the message and its own event."""
    become(kit, "ping", lambda ctx: ctx.track("odd\0", value=odd, text="\\u0000 ж 🙂"))
    kit.bob.send("/ping")
    stored = AnalyticsEvent.get(AnalyticsEvent.event_type == "odd").data
    assert stored["text"] == "\\u0000 ж 🙂"
    assert stored["value"] in ("ab", "a?b", None, ["", {"": "b"}])
    assert AnalyticsEvent.select().where(AnalyticsEvent.event_type == "command").count() == 1
    assert User.get(telegram_id=1002).total_messages == 1


def test_no_handler_begins_without_the_lease(kit: ChatKit) -> None:
    """Also when it was lost while the update was on its way to the handler."""
    kit.telegram.send(kit.bot_id, 1002, 1002, text="/ping")
    kit.core.seats[0].poller.step(0)
    ran, lane = list[int](), next(iter(kit.core.lanes._lanes.values()))
    become(kit, "ping", lambda ctx: ran.append(1))
    kit.core.seats[0].client._allowed = lambda: False
    with pytest.raises(Stopping):
        kit.core.turns._handle(lane.items[0])
    assert not ran and states() == {"new"}


def test_each_bot_commits_under_its_own_lease(database: Database) -> None:
    """A bot whose lease is gone does not keep the other's done marks back."""
    with ChatKit(PLUGINS, database=database, TELEGRAM_BOT_TOKEN=TOKENS) as kit:
        for bot_id in (FIRST, SECOND):
            kit.telegram.send(bot_id, 1002, 1002, text="/ping")
        for seat in kit.core.seats:
            seat.poller.step(0)
        while kit.core.crew.step():
            pass
        assert Lease(f"poller:{FIRST}", owner="other", dead=lambda owner: True).step()
        with pytest.raises(Fenced):
            kit.core.ledger.flush()
        assert {row.bot_id: row.state for row in Row.select()} == {FIRST: "new", SECOND: "done"}


def test_the_ledger_outlives_a_refusal(kit: ChatKit, caplog: pytest.LogCaptureFixture) -> None:
    """Without its thread nothing more would begin, so it goes on and says so."""
    stop, tries = threading.Event(), list[int]()

    def step() -> int:
        tries.append(1)
        if len(tries) == 1:
            raise ValueError("refused")
        stop.set()
        return 0

    kit.core.ledger.step = step  # type: ignore[method-assign]
    kit.core.ledger.run(stop, lambda: None)
    assert len(tries) == 2 and "the ledger failed" in caplog.text


def test_backpressure_is_no_silence(kit: ChatKit) -> None:
    """A poller that waits because memory is full does not look dead to the watchdog."""
    clock, stop = Clock(), threading.Event()
    process = Process(kit.core, chores=[], clock=clock)
    poller = kit.core.seats[0].poller
    poller._clock = clock
    kit.core.lanes.full = lambda: True  # type: ignore[method-assign]

    def wait(stopped: threading.Event, seconds: float) -> None:
        clock.now += 60
        process.watch()
        if clock.now > 500:
            stop.set()

    poller._wait = wait
    poller.run(stop, lambda error: None)
    assert not process.stop.is_set()
