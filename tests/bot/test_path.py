"""The path of an update, as chats: matching, middleware, conversations, failures, atomicity."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from bot.quarantine import KILLS
from bot.testing import ChatKit
from database import Database
from models import (
    AnalyticsEvent,
    Chat,
    Conversation,
    Failure,
    Role,
    Status,
    User,
)
from models import Inbox as Row
from sandbox.cast import GROUP_ID
from services import failures, users

PLUGINS = [Path(__file__).parent / "plugins"]
SORRY = "Sorry, something went wrong. The owners have been told."


@pytest.fixture
def kit(database: Database) -> Iterator[ChatKit]:
    """The bot with the trial plugin, on each engine."""
    with ChatKit(PLUGINS, database=database) as kit:
        yield kit


def trial(kit: ChatKit) -> Any:
    """The module of the trial plugin as it was loaded."""
    import sys

    return sys.modules["steadygram_plugins.trial"]


def update_states() -> set[str]:
    return {row.state for row in Row.select()}


def events(name: str) -> int:
    return AnalyticsEvent.select().where(AnalyticsEvent.event_type == name).count()


def test_a_command_its_alias_and_the_last_resort(kit: ChatKit) -> None:
    """A command is found by any of its names; what nobody took goes to the last handler."""
    assert kit.bob.send("/ping") == ["pong"]
    assert kit.bob.send("/P") == ["pong"]
    assert kit.bob.send("hello") == ["? hello"]
    assert kit.bob.send("/nothing") == ["? /nothing"]
    assert update_states() == {"done"}


def test_a_command_for_another_bot_is_not_ours(kit: ChatKit) -> None:
    """/ping@other is left to the other; /ping@us is ours."""
    assert kit.bob.send("/ping@another_bot") == ["? /ping@another_bot"]
    assert kit.bob.send("/ping@sandbox_bot") == ["pong"]


def test_messages_are_counted_once_with_their_events(kit: ChatKit) -> None:
    """Counters and events follow the messages, commands apart."""
    kit.bob.send("/ping")
    kit.bob.send("hello")
    user = User.get(telegram_id=1002)
    assert user.total_messages == 2 and user.last_activity_at is not None
    assert (events("command"), events("message"), events("user_joined")) == (1, 1, 1)


def test_a_failing_handler_is_recorded_and_told_once(kit: ChatKit) -> None:
    """One apology each time, one failures row each time, one notice to the owners an hour."""
    kit.alice.send("/ping")
    assert kit.bob.send("/boom") == [SORRY]
    assert kit.bob.send("/boom") == [SORRY]
    first, second = Failure.select()
    assert (first.plugin, first.handler, first.error, first.message) == (
        "trial",
        "boom",
        "ValueError",
        "boom",
    )
    assert "raise ValueError" in first.traceback and '"/boom"' in (first.payload or "")
    assert first.noticed_at is not None and second.noticed_at is None
    assert [text for text in kit.alice.texts if "boom" in text] == ["trial.boom: ValueError: boom"]
    assert events("never") == 0 and update_states() == {"done", "failed"}
    kit.pass_time(minutes=61)
    kit.bob.send("/boom")
    assert len(kit.alice.texts) == 3


def test_a_handler_that_exits_or_a_filter_that_raises_is_a_failure(kit: ChatKit) -> None:
    """sys.exit in a plugin ends nothing; a filter's mistake is the plugin's."""
    assert kit.bob.send("/leave") == [SORRY]
    assert kit.bob.send("odd") == [SORRY]
    assert [(f.handler, f.error) for f in Failure.select().order_by(Failure.id)] == [
        ("leave", "SystemExit"),
        ("odd", "ZeroDivisionError"),
    ]
    assert kit.bob.send("/ping") == ["pong"]


def test_a_mended_failure_is_replayed(kit: ChatKit) -> None:
    """A replay runs the same update once more, through the whole path."""
    kit.bob.send("/boom")
    handler = kit.registry.commands["boom"]
    object.__setattr__(handler, "func", lambda ctx: "mended")
    assert failures.replay(Failure.get().id)
    kit.chores()
    assert kit.bob.last == "mended"
    assert Failure.get().state == "replayed" and update_states() == {"done"}


def test_a_banned_person_gets_nothing_from_the_next_update_on(kit: ChatKit) -> None:
    """A ban is silent and takes effect at once; lifting it too."""
    kit.bob.send("/ping")
    user = users.find(1002)
    assert user is not None
    users.set_status(user, Status.BANNED)
    assert kit.bob.send("/ping") == []
    assert User.get(telegram_id=1002).total_messages == 1
    users.set_status(user, Status.ACTIVE)
    assert kit.bob.send("/ping") == ["pong"]


def test_a_role_is_needed(kit: ChatKit) -> None:
    """Who may not is told so; owners may everything; a promotion counts at once."""
    assert kit.bob.send("/secret") == ["You may not use this command."]
    assert kit.alice.send("/secret") == ["42"]
    user = users.find(1002)
    assert user is not None
    users.set_role(user, Role.ADMIN)
    assert kit.bob.send("/secret") == ["42"]


def test_switches_turn_a_plugin_off_in_a_chat_or_everywhere(kit: ChatKit) -> None:
    """Off means that nothing of the plugin matches, in that chat or in all."""
    kit.switches.set("trial", False, 1002)
    assert kit.bob.send("/ping") == []
    assert kit.dan.send("/ping") == ["pong"]
    kit.switches.set("trial", False)
    assert kit.dan.send("/ping") == []
    kit.switches.set("trial", True)
    assert kit.dan.send("/ping") == ["pong"]


def test_too_many_messages_are_told_once(database: Database) -> None:
    """The burst passes, then one notice, then silence, for messages and taps alike."""
    with ChatKit(PLUGINS, database=database, THROTTLE_RATE="0.001", THROTTLE_BURST="2") as kit:
        kit.bob.send("/mark")
        kit.bob.send("/ping")
        assert kit.bob.tap("Stay") == "Too many messages. Please wait a little."
        assert kit.bob.send("/ping") == []
        assert kit.dan.send("/ping") == ["pong"]
        assert kit.dan.send("/ping") == ["pong"]
        assert kit.dan.send("/ping") == ["Too many messages. Please wait a little."]


def test_a_flood_that_is_answered_slowly_is_a_flood(database: Database) -> None:
    """What counts is when a message was sent, not how long it waited in its lane."""
    with ChatKit(PLUGINS, database=database, THROTTLE_RATE="1", THROTTLE_BURST="2") as kit:
        for _ in range(4):
            kit.telegram.send(kit.bot_id, 1002, 1002, text="/ping")

        def slow(ctx: Any) -> str:
            kit.pass_time(seconds=5)
            return "pong"

        object.__setattr__(kit.registry.commands["ping"], "func", slow)
        kit.step()
        assert kit.bob.texts == ["pong", "pong", "Too many messages. Please wait a little."]


def test_a_question_is_answered_after_a_restart(kit: ChatKit) -> None:
    """A conversation is in the database: another life of the process takes the answer."""
    assert kit.bob.send("/ask") == ["Your name?"]
    kit.restart()
    assert kit.dan.send("Dan") == ["? Dan"]
    assert kit.bob.send("/ping") == ["pong"]
    assert kit.bob.send("again") == ["And now?"]
    assert kit.bob.send("Bob") == ["Hello, Bob"]
    assert kit.bob.send("Bob") == ["? Bob"]
    assert Conversation.select().count() == 0


def test_a_question_expires_or_is_cancelled(kit: ChatKit) -> None:
    """After its time an answer is plain text again; /cancel ends it, and says if there is none."""
    kit.bob.send("/ask")
    kit.pass_time(seconds=61)
    assert kit.bob.send("Bob") == ["? Bob"]
    kit.bob.send("/ask")
    assert kit.bob.send("/cancel") == ["Cancelled."]
    assert kit.bob.send("/cancel") == ["Nothing to cancel."]
    assert kit.bob.send("Bob") == ["? Bob"]


def test_a_failing_step_can_be_answered_again(kit: ChatKit) -> None:
    """A step that raised leaves its question open."""
    kit.bob.send("/ask")
    assert kit.bob.send("fail") == [SORRY]
    assert kit.bob.send("Bob") == ["Hello, Bob"]


def test_an_atomic_handler_writes_once_and_replies_after(kit: ChatKit) -> None:
    """Rows, mark and counters are one commit; replies and the button's answer come after it."""
    assert kit.bob.send("/mark") == ["first", "rows: 1"]
    assert kit.bob.tap("Go") == ""
    assert kit.calls("answerCallbackQuery") != []
    assert kit.bob.tap("Stay") == "staying"
    assert events("marked") == 1 and update_states() == {"done"}
    assert User.get(telegram_id=1002).total_messages == 1


def test_an_atomic_handler_that_fails_leaves_nothing(kit: ChatKit) -> None:
    """Its rows and its replies are gone; the user gets the apology."""
    trial(kit).outside.append(lambda: 1 / 0)
    assert kit.bob.send("/mark") == [SORRY]
    assert trial(kit).Mark.select().count() == 0 and events("marked") == 0
    assert '"/mark"' in (Failure.get().payload or "")


def test_an_outage_in_a_handler_is_waited_out(kit: ChatKit) -> None:
    """A database that is away is not the plugin's fault: the update runs again, once it is back."""
    troubles = [psycopg2.OperationalError("server closed the connection unexpectedly")]

    def happen() -> None:
        if troubles:
            raise troubles.pop()

    trial(kit).outside.append(happen)
    assert kit.bob.send("/mark") == ["first", "rows: 1"]
    assert Failure.select().count() == 0


def test_a_commit_whose_answer_was_lost_is_not_made_twice(kit: ChatKit) -> None:
    """When the connection broke at the commit, the second run finds it and sends the replies."""
    ledger, real = kit.core.ledger, kit.core.ledger.commit
    broken: list[int] = []

    def commit(entries: Any) -> int:
        done = real(entries)
        if not broken:
            broken.append(done)
            kit.database.commit()
            raise psycopg2.OperationalError("connection lost")
        return done

    ledger.commit = commit  # type: ignore[method-assign]
    kit.bob.send("/mark")
    assert broken == [1]
    assert kit.bob.texts == ["first", "rows: 1"]
    assert trial(kit).Mark.select().count() == 1


def test_unsent_replies_go_out_after_a_restart(kit: ChatKit) -> None:
    """What an atomic handler left to send is sent by the next life of the process."""
    kit.bob.send("/ping")
    payload = '{"calls": [["sendMessage", {"chat_id": "1002", "text": "late"}],'
    payload += ' ["sendMessage", {"chat_id": "1", "text": "nobody"}]], "handler": "trial.mark"}'
    Row.update(state="replying", payload=payload, done_at=None).execute()
    kit.restart()
    assert kit.bob.last == "late" and update_states() == {"done"}


def test_an_update_that_kills_three_times_is_set_aside(kit: ChatKit) -> None:
    """Each start of a recovered update is written down; the third death ends its tries."""
    kit.telegram.send(kit.bot_id, 1002, 1002, text="/ping")
    seat = kit.core.seats[0]
    kit.core.lanes.put = lambda items: None  # type: ignore[method-assign]
    seat.poller.lanes = kit.core.lanes
    seat.poller.step(0)
    for death in range(1, KILLS):
        (item,) = kit.core.inbox.load(kit.core.inbox.waiting(kit.bot_id)[0], set(), 5)
        assert item.attempts == death
        kit.core.inbox.start(item)
    kit.restart()
    assert kit.bob.texts == [] and update_states() == {"failed"}
    assert Failure.get().error == "ProcessKilled" and "3 times" in Failure.get().message
    assert kit.bob.send("/ping") == ["pong"]


def test_an_unreadable_update_stops_nothing(kit: ChatKit) -> None:
    """What telebot cannot read is kept as a failure; what it does not know is kept too."""
    kit.telegram.push(kit.bot_id, {"message": {"chat": {"id": 1002, "type": "private"}}})
    kit.telegram.push(kit.bot_id, {"brand_new": {"x": 1}})
    assert kit.bob.send("/ping") == ["pong"]
    assert update_states() == {"failed", "unknown", "done"}
    assert Failure.get().message.startswith("The update cannot be read")
    assert "brand_new" in (Row.get(state="unknown").payload or "")


def test_blocking_and_coming_back_are_followed(kit: ChatKit) -> None:
    """my_chat_member sets and clears `blocked`; so does a refused reply and a new message."""
    kit.bob.send("/ping")
    kit.bob.block()
    assert User.get(telegram_id=1002).status == Status.BLOCKED
    kit.bob.block(False)
    assert User.get(telegram_id=1002).status == Status.ACTIVE
    assert (events("user_blocked"), events("user_unblocked")) == (1, 1)
    kit.telegram.fail("403", "sendMessage", times=1)
    kit.bob.send("/ping")
    assert User.get(telegram_id=1002).status == Status.BLOCKED
    assert Failure.select().count() == 0
    assert kit.bob.send("/ping") == ["pong"]
    assert User.get(telegram_id=1002).status == Status.ACTIVE


def test_a_ban_is_not_lifted_by_blocking(kit: ChatKit) -> None:
    """A banned person who blocks the bot and comes back is still banned."""
    kit.bob.send("/ping")
    user = users.find(1002)
    assert user is not None
    users.set_status(user, Status.BANNED)
    kit.bob.block()
    kit.bob.block(False)
    assert User.get(telegram_id=1002).status == Status.BANNED


def test_a_group_that_becomes_a_supergroup_keeps_its_data(kit: ChatKit) -> None:
    """Chats, conversations, switches and the plugins' own rows move to the new id."""
    kit.alice.send("/ping@sandbox_bot", to=kit.group)
    kit.alice.send("/ask@sandbox_bot", to=kit.group)
    trial(kit).Mark.create(chat_id=GROUP_ID)
    old = {"id": GROUP_ID, "type": "group", "title": "Steady team"}
    sender = {"id": 1001, "is_bot": False, "first_name": "Alice"}
    message = {"message_id": 99, "date": 1, "from": sender, "chat": old}
    kit.telegram.push(kit.bot_id, {"message": {**message, "migrate_to_chat_id": -77}})
    kit.step()
    assert trial(kit).Mark.get().chat_id == -77
    assert Chat.select().where(Chat.telegram_id == -77).count() == 1
    assert Conversation.get().chat_id == -77
    assert kit.core.conversations.get((kit.bot_id, -77, 1001)) is not None


def test_an_edit_reaches_its_handler(kit: ChatKit) -> None:
    """Other kinds than messages are matched by the same words."""
    sent = kit.telegram.send(kit.bot_id, 1002, 1002, text="helo")
    kit.step()
    kit.telegram.edit(kit.bot_id, 1002, 1002, sent["message_id"], "hello")
    kit.step()
    assert kit.bob.last == "edited: hello"


def test_the_token_is_nowhere(kit: ChatKit, caplog: pytest.LogCaptureFixture) -> None:
    """Neither logs nor tables nor failures nor representations hold the token."""
    kit.telegram.fail("502", "sendMessage", times=1)
    kit.bob.send("/boom")
    token = kit.settings.bots[0].reveal()
    seen = [caplog.text, repr(kit.settings), repr(vars(kit.core)), repr(kit.core.seats[0])]
    seen += [str(row.__data__) for row in [*Failure.select(), *Row.select()]]
    assert not [text for text in seen if token in text or token.partition(":")[2] in text]


def test_a_module_in_plain_telebot_style_runs_too(kit: ChatKit) -> None:
    """What `register(bot)` adds has the same boundary and the same switches."""
    assert kit.bob.send("/old") == ["old style"]
    assert kit.bob.send("break") == [SORRY]
    assert (Failure.get().plugin, Failure.get().handler) == ("oldstyle", "broken")
    kit.telegram.inline(kit.bot_id, 1002, "anything")
    kit.step()
    assert len(kit.calls("answerInlineQuery")) == 1
    kit.switches.set("oldstyle", False)
    assert kit.bob.send("break") == ["? break"]


def test_a_module_that_cannot_register_is_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What it had added is taken back, the log says so, and the rest runs."""
    handler = "@bot.message_handler(commands=['{0}'])\ndef say(m): bot.reply_to(m, '{0}')\n"
    for name, end in (("a", "1 / 0"), ("b", "raise SystemExit"), ("c", "bot.infinity_polling()")):
        (tmp_path / f"{name}.py").write_text(f"bot: object\n{handler.format(name)}{end}\n")
    with ChatKit([tmp_path]) as kit:
        assert [kit.bob.send(f"/{name}") for name in "abc"] == [[], [], ["c"]]
    assert "the module a is left out" in caplog.text and "module b" in caplog.text
