"""The postman: what the team writes in the panel arrives in order, and nothing twice."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bot.chores import Chores
from bot.testing import ROOT, ChatKit, Person
from database import Database
from models import AnalyticsEvent, Status, User
from services import messages, outgoing
from services.audit import TERMINAL
from services.messages import State, Unsendable
from staff import AuditEntry, Message


@pytest.fixture
def kit(database: Database) -> Iterator[ChatKit]:
    """A bot that Bob and Dan know."""
    with ChatKit([ROOT / "plugins"], database=database) as kit:
        kit.bob.send("/start")
        kit.dan.send("/start")
        yield kit


def write(kit: ChatKit, person: Person, text: str) -> Message:
    """Have the team write to somebody."""
    user = User.get(User.telegram_id == person.id)
    return messages.send(bot_id=kit.bot_id, chat_id=person.id, text=text, user=user, admin_id=None)


def states(person: Person) -> list[str]:
    """Where the team's messages to somebody are, oldest first."""
    rows = Message.select().where(Message.chat_id == person.id).order_by(Message.id)
    return [row.state for row in rows]


def test_what_the_team_writes_arrives(kit: ChatKit) -> None:
    """As it is, marks and all, with Telegram's number noted; nothing is sent a second time."""
    write(kit, kit.bob, "<b>Hello</b> *you* _there_")
    kit.step()
    kit.step()
    assert kit.bob.texts[1:] == ["<b>Hello</b> *you* _there_"]
    row = Message.get()
    assert (row.state, row.message_id) == ("sent", kit.bob.messages[-1]["message_id"])


def test_it_goes_in_order_in_each_chat(kit: ChatKit) -> None:
    """However many wait; a chat that has to wait holds up no other."""
    kit.fail("sendMessage", retry_after=30, chat=kit.bob)
    for number in range(3):
        write(kit, kit.bob, f"b{number}")
        write(kit, kit.dan, f"d{number}")
    kit.step()
    assert kit.dan.texts[-3:] == ["d0", "d1", "d2"] and states(kit.bob) == ["queued"] * 3
    calls = len(kit.calls("sendMessage"))
    kit.step()
    assert len(kit.calls("sendMessage")) == calls  # none inside the window
    kit.pass_time(seconds=31)
    kit.step()
    assert kit.bob.texts[-3:] == ["b0", "b1", "b2"] and set(states(kit.bob)) == {"sent"}


def test_a_crash_after_sending_leaves_it_unknown(
    kit: ChatKit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before it is written down that it went: nobody can tell, and nobody sends it again."""
    write(kit, kit.bob, "Hello")
    write(kit, kit.bob, "Again")
    with monkeypatch.context() as dying:
        dying.setattr(outgoing, "settle", _die)
        with pytest.raises(KeyboardInterrupt):
            kit.step()
    assert states(kit.bob) == ["sending", "queued"]
    kit.restart()
    assert kit.bob.texts[1:] == ["Hello", "Again"]
    assert states(kit.bob) == ["unknown", "sent"]
    assert "may have arrived" in Message.select().order_by(Message.id).first().error


def test_control_without_the_mark_before_it_comes_twice(
    kit: ChatKit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control: the same crash, with nothing written down before the call, doubles the message."""
    write(kit, kit.bob, "Hello")
    with monkeypatch.context() as dying:
        dying.setattr(outgoing, "begin", lambda number: True)
        dying.setattr(outgoing, "settle", _die)
        with pytest.raises(KeyboardInterrupt):
            kit.step()
    kit.restart()
    assert kit.bob.texts[1:] == ["Hello", "Hello"]


def _die(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_what_came_of_it_is_written_down_after_an_outage(
    kit: ChatKit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When only the database was away, the process knows that it was sent, and says so later."""
    write(kit, kit.bob, "Hello")

    def away(*_: object, **__: object) -> None:
        raise ConnectionError("the database is away")

    with monkeypatch.context() as dying:
        dying.setattr(outgoing, "settle", away)
        with pytest.raises(ConnectionError):
            kit.step()
    kit.step()
    assert states(kit.bob) == ["sent"] and kit.bob.texts[1:] == ["Hello"]


@pytest.mark.parametrize("fault", ["502", "cut_after"])
def test_without_a_clear_answer_it_is_unknown(kit: ChatKit, fault: str) -> None:
    """It may have arrived: it is not sent again, until a person says so."""
    kit.telegram.fail(fault, "sendMessage", chat_id=kit.bob.id, times=1)
    message = write(kit, kit.bob, "Hello")
    kit.step()
    assert states(kit.bob) == ["unknown"]
    assert messages.send_again(Message.get_by_id(message.id), TERMINAL)
    kit.step()
    assert states(kit.bob) == ["sent"] and kit.bob.last == "Hello"
    assert AuditEntry.get().action == "message.again"
    assert not messages.send_again(Message.get_by_id(message.id), TERMINAL)


@pytest.mark.parametrize("fault", ["cut_before", "429"])
def test_what_never_left_is_sent_later(kit: ChatKit, fault: str) -> None:
    """There is no doubt about it."""
    kit.telegram.fail(fault, "sendMessage", chat_id=kit.bob.id, times=1, value=1)
    write(kit, kit.bob, "Hello")
    kit.step()
    assert states(kit.bob) == ["queued"] and kit.bob.texts[1:] == []
    kit.pass_time(seconds=2)
    kit.step()
    assert states(kit.bob) == ["sent"] and kit.bob.texts[1:] == ["Hello"]


def test_who_has_blocked_the_bot_is_not_reached(kit: ChatKit) -> None:
    """The message says why, and the person is known to be gone."""
    kit.telegram.fail("403", "sendMessage", chat_id=kit.bob.id, times=1)
    write(kit, kit.bob, "Hello")
    kit.step()
    row = Message.get()
    assert row.state == "failed" and "has blocked the bot" in (row.error or "")
    assert User.get(User.telegram_id == kit.bob.id).status == Status.BLOCKED
    assert AnalyticsEvent.select().where(AnalyticsEvent.event_type == "user_blocked").count() == 1


def test_a_ban_stays_when_the_banned_block_the_bot(kit: ChatKit) -> None:
    """The team's word outlasts theirs."""
    User.update(status=Status.BANNED).where(User.telegram_id == kit.bob.id).execute()
    kit.telegram.fail("403", "sendMessage", chat_id=kit.bob.id, times=1)
    write(kit, kit.bob, "Why you are banned")
    kit.step()
    assert User.get(User.telegram_id == kit.bob.id).status == Status.BANNED


def test_a_stranger_cannot_be_written_to(kit: ChatKit) -> None:
    """Telegram's refusal is told in a sentence."""
    messages.send(bot_id=kit.bot_id, chat_id=99, text="Hello", user=None, admin_id=None)
    kit.step()
    row = Message.get()
    assert row.state == "failed" and "write to this bot first" in (row.error or "")


def test_only_the_bot_that_is_meant_sends_it(kit: ChatKit) -> None:
    """And only the process that leads it: without the lease nothing goes."""
    messages.send(bot_id=kit.bot_id + 1, chat_id=1002, text="x", user=None, admin_id=None)
    kit.step()
    assert states(kit.bob) == ["queued"]
    Message.update(bot_id=kit.bot_id).execute()
    kit.core.seats[0].lease.fence += 1
    assert kit.core.postman.step([kit.core.seats[0].client]) == 0
    assert states(kit.bob) == ["queued"] and kit.bob.texts[1:] == []


def test_a_message_that_was_erased_meanwhile_is_not_sent(
    kit: ChatKit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is looked for once more when it is about to go."""
    message = write(kit, kit.bob, "Hello")
    monkeypatch.setattr(outgoing, "waiting", lambda bots: [message])
    Message.delete().execute()
    assert kit.core.postman.step([kit.core.seats[0].client]) == 0
    assert kit.bob.texts[1:] == []


def test_the_chore_sends_for_bots_that_are_led(kit: ChatKit) -> None:
    """What the process does every second."""
    write(kit, kit.bob, "Hello")
    chores = Chores(kit.core, [])
    kit.core.seats[0].led = False
    chores.send_messages(0.0)
    assert states(kit.bob) == ["queued"]
    kit.core.seats[0].led = True
    chores.send_messages(0.0)
    assert states(kit.bob) == ["sent"]
    counted = kit.core.parts.metrics.registry.get_sample_value
    assert counted("bot_team_messages_total", {"state": "sent"}) == 1


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "write something"),
        (" \n\t", "write something"),
        ("\0", "write something"),
        ("x" * 4097, "4,097 characters"),
        ("😀" * 2049, "4,098 characters"),
    ],
)
def test_what_telegram_would_refuse_is_not_queued(kit: ChatKit, text: str, sentence: str) -> None:
    """With a sentence that says why; length is counted as Telegram counts it."""
    with pytest.raises(Unsendable, match=sentence):
        write(kit, kit.bob, text)
    assert Message.select().count() == 0


def test_the_longest_text_goes(kit: ChatKit) -> None:
    """4,096 units in one message; what no database holds is cleaned."""
    write(kit, kit.bob, "😀" * 2048)
    assert write(kit, kit.bob, "a\0\r\nb\ud800").text == "a\nb?"
    kit.step()
    assert states(kit.bob) == [State.SENT, State.SENT]
    assert kit.bob.texts[-2:] == ["😀" * 2048, "a\nb?"]
