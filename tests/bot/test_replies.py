"""The reply's way by the courier, from the handler's text to Telegram's answer and its troubles."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import bot.kit
from bot import turns
from bot.core import Parts
from bot.courier import Courier
from bot.sending import Sending
from bot.testing import ChatKit, Patience
from bot.wire import NeverSent
from models import Failure, Status, User
from models import Inbox as Row
from sandbox.telegram import Telegram
from settings import Secret
from tests.bot.test_process import make, run, wait_for
from tests.sandbox.serving import serving

PLUGINS = [Path(__file__).parent / "plugins"]
SORRY = "Sorry, something went wrong. The owners have been told."
IN_RUSSIAN = "Простите, что-то пошло не так. Владельцы уже знают."


class Spy(Courier):
    """A courier that keeps what it was given to carry."""

    def __init__(self, base_url: str) -> None:
        super().__init__(base_url)
        self.posted: list[str] = []
        self.deaf = False

    def post(self, token: Secret, method: str, *rest: Any, **options: Any) -> None:
        self.posted.append(method)
        super().post(token, method, *rest, **options)

    def receive(self, timeout: float | None) -> None:
        if not self.deaf:
            super().receive(timeout)


class Hall:
    """A bot whose replies go to a sandbox over a socket; time passes when it waits."""

    def __init__(self, kit: ChatKit, courier: Spy) -> None:
        self.kit, self.courier = kit, courier
        self.client = kit.core.seats[0].client
        self.waits: list[float] = []

    def hurry(self) -> None:
        """Note the waits, which pass at once."""

        def wait(seconds: float) -> bool:
            self.waits.append(seconds)
            return self.kit.time.wait(seconds)

        self.client._wait = wait

    def send(self, *texts: str, person: int = 1002) -> None:
        for text in texts:
            self.kit.telegram.send(self.kit.bot_id, person, person, text=text)

    def settle(self) -> None:
        """Handle all that was sent, and hear the answers, until nothing is open."""
        core = self.kit.core

        def over() -> bool:
            while core.crew.step():
                pass
            core.ledger.flush()
            self.courier.receive(0.01)
            return not (self.courier.busy or core.crew._errands or self.open())

        self.kit.step()
        wait_for(over)

    def open(self) -> int:
        return Row.select().where(Row.state.in_(["new", "replying"])).count()

    def states(self) -> set[str]:
        return {row.state for row in Row.select()}

    def count(self, name: str, **labels: str) -> float:
        registry = self.kit.core.parts.metrics.registry
        return registry.get_sample_value(name, labels) or 0


@contextmanager
def opened(telegram: Telegram, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hall]:
    """A hall in which everybody has written to the bot, so that it may write to them."""
    with serving(telegram) as port:
        courier = Spy(f"http://127.0.0.1:{port}")
        monkeypatch.setattr(bot.kit, "Parts", partial(Parts, courier=courier))
        with ChatKit(PLUGINS, telegram=telegram) as kit:
            hall = Hall(kit, courier)
            hall.send("hello")
            hall.send("hello", person=1003)
            hall.settle()
            courier.posted.clear()
            yield hall


@pytest.fixture
def hall(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hall]:
    """A hall for one thread, where no poll is waited for."""
    patience = Patience()
    telegram = Telegram(timer=patience.timer, wait=patience.wait)
    with opened(telegram, monkeypatch) as hall:
        yield hall


@pytest.fixture
def busy_hall(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hall]:
    """A hall for a process with all its threads."""
    with opened(Telegram(), monkeypatch) as hall:
        yield hall


def test_a_returned_text_goes_out_by_the_courier(hall: Hall) -> None:
    """The update is open until Telegram has answered, and then done and counted."""
    hall.send("/ping")
    hall.courier.deaf = True
    hall.kit.core.step()
    assert hall.courier.posted == ["sendMessage"] and hall.open() == 1
    hall.courier.deaf = False
    hall.settle()
    assert hall.kit.bob.texts[-1] == "pong" and hall.states() == {"done"}
    assert hall.count("bot_messages_total", handler="trial.ping", status="ok") == 1
    assert hall.count("bot_api_requests_total", method="sendMessage", code="200") >= 1
    assert User.get(telegram_id=1002).total_messages == 2


def test_a_chat_s_replies_keep_their_order(hall: Hall) -> None:
    """The next update of a chat begins when the reply before it is answered, fault or none."""
    hall.hurry()
    before = len(hall.kit.bob.texts)
    hall.kit.telegram.fail("502", "sendMessage", times=2)
    hall.kit.telegram.fail("slow", "sendMessage", times=3, value=0.02)
    hall.send(*[f"n{number}" for number in range(12)])
    hall.courier.deaf = True
    hall.kit.core.step()
    assert len(hall.courier.posted) == 1
    hall.courier.deaf = False
    hall.settle()
    assert hall.kit.bob.texts[before:] == [f"? n{number}" for number in range(12)]
    assert hall.states() == {"done"}


def test_a_block_is_noted(hall: Hall) -> None:
    """Who blocked the bot is known to have: no failure, no apology."""
    hall.kit.telegram.fail("403", "sendMessage", times=1)
    hall.send("/ping")
    hall.settle()
    assert User.get(telegram_id=1002).status == Status.BLOCKED
    assert not Failure.select().count() and hall.states() == {"done"}
    assert len(hall.courier.posted) == 1 and "pong" not in hall.kit.bob.texts


def test_a_refusal_is_a_failure_with_an_apology(hall: Hall) -> None:
    """What Telegram refuses for good is kept with its update, and the user is told."""
    hall.kit.telegram.fail("400", "sendMessage", chat_id=1002, times=1)
    hall.send("/ping")
    hall.settle()
    failed = Failure.get()
    assert (failed.handler, failed.error, failed.user_id) == ("ping", "ApiTelegramException", 1002)
    assert hall.kit.bob.texts[-1] == SORRY and hall.states() == {"done", "failed"}
    hall.send("/ping")
    hall.settle()
    assert hall.kit.bob.texts[-1] == "pong"


def test_a_429_is_waited_out(hall: Hall) -> None:
    """Nothing goes to the chat within the window, and the reply goes out once."""
    hall.hurry()
    before = len(hall.kit.bob.texts)
    hall.kit.telegram.fail("429", "sendMessage", times=1, value=7)
    hall.send("/ping", "later")
    hall.settle()
    assert hall.kit.bob.texts[before:] == ["pong", "? later"]
    assert sum(hall.waits) >= 7 and hall.states() == {"done"}
    calls = hall.count("bot_api_requests_total", method="sendMessage", code="429")
    assert calls == 1 and not Failure.select().count()


@pytest.mark.parametrize(("cut", "times"), [("cut_before", 1), ("cut_after", 2)])
def test_a_cut_is_counted_and_sent_again(hall: Hall, cut: str, times: int) -> None:
    """Its fate is not known: the reply is sent again, perhaps doubled, and never lost."""
    hall.hurry()
    before = len(hall.kit.bob.texts)
    hall.kit.telegram.fail(cut, "sendMessage", times=1)
    hall.send("/ping", "later")
    hall.settle()
    assert hall.kit.bob.texts[before:] == ["pong"] * times + ["? later"]
    assert hall.count("bot_sends_ambiguous_total", method="sendMessage") == 1
    assert hall.states() == {"done"}


def test_what_never_left_is_sent_once(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that cannot be had is no doubt: the reply goes out when one can."""
    hall.hurry()
    before = len(hall.kit.bob.texts)
    while hall.courier._idle:
        hall.courier._drop(hall.courier._idle.pop())

    def connect() -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(hall.courier, "_connect", connect)
    hall.send("/ping")
    hall.settle()
    assert hall.kit.bob.texts[before:] == ["pong"]
    assert not hall.count("bot_sends_ambiguous_total", method="sendMessage")
    assert hall.count("bot_api_requests_total", method="sendMessage", code="never_sent") == 1


def test_a_process_answers_many_chats_in_order(busy_hall: Hall) -> None:
    """Each chat gets its replies in order and once, though one handler blocks and one fails."""
    hall, kit, gate = busy_hall, busy_hall.kit, threading.Event()
    for seat in kit.core.seats:
        seat.lease.release()
        seat.led = False
    expected = dict[int, list[str]]()
    before = {person.id: len(person.texts) for person in (kit.vera, kit.bob)}

    def slow(ctx: Any) -> str:
        gate.wait(10)
        return "slow pong"

    object.__setattr__(kit.registry.commands["ping"], "func", slow)

    def talk() -> None:
        hall.send("/ping", *[f"b{n}" for n in range(15)])
        hall.send(*[f"a{n}" for n in range(10)], "/boom", "end", person=1003)
        wait_for(lambda: kit.vera.texts[-1:] == ["? end"])
        assert kit.bob.texts[before[1002] :] == []
        gate.set()
        wait_for(lambda: kit.bob.texts[-1:] == ["? b14"])

    expected[1002] = ["slow pong", *[f"? b{n}" for n in range(15)]]
    expected[1003] = [*[f"? a{n}" for n in range(10)], IN_RUSSIAN, "? end"]
    assert run(make(kit), talk) == 0
    texts = {person.id: person.texts[before[person.id] :] for person in (kit.vera, kit.bob)}
    assert texts == expected and len(hall.courier.posted) == 27
    assert hall.open() == 0 and Row.select().where(Row.state == "failed").count() == 1


def test_a_mistake_of_ours_after_the_answer_is_told_and_counts_once(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The update ends as a failure, and its lane goes on."""

    def fail(_turn: object) -> None:
        raise ValueError("a mistake")

    monkeypatch.setattr(turns, "entry_of", fail)
    hall.send("/ping")
    hall.settle()
    monkeypatch.undo()
    hall.send("/ping")
    hall.settle()
    assert hall.count("bot_messages_total", handler="trial.ping", status="ok") == 2
    assert len(Failure.select().where(Failure.error == "ValueError")) == 1


def test_what_was_held_does_not_leave_after_the_end(hall: Hall) -> None:
    """Nor inside a pause that Telegram asked for meanwhile: it goes on in the ordinary way."""
    for change in (hall.client._stop.set, lambda: hall.client._limits.pause(None, 5.0)):
        heard: list[Sending] = []
        hall.courier.hold()
        assert hall.client.post("sendMessage", {"chat_id": 1002, "text": "late"}, heard.append)
        change()
        hall.courier.let_go()
        assert [type(sending.outcome) for sending in heard] == [NeverSent]
        hall.client._stop.clear()
    assert "late" not in hall.kit.bob.texts
