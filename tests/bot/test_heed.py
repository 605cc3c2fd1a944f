"""What the team does in the panel, a process of its own, reaches the running bot."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from bot.testing import ChatKit
from database import Database
from models import Conversation, Language, Role, User
from services import audit, care, users
from services.audit import TERMINAL
from staff import StaffRole

OWNER = StaffRole.OWNER


@pytest.fixture
def each(database: Database) -> Iterator[ChatKit]:
    """The bot as it is shipped, on each engine."""
    with ChatKit(database=database) as kit:
        yield kit


def row_of(telegram_id: int) -> User:
    """The row, as another process reads it."""
    row: User = User.get(User.telegram_id == telegram_id)
    return row


def test_a_ban_silences_the_bot_and_its_end_lets_it_speak(each: ChatKit) -> None:
    """The very next message of a banned person gets no answer; after the end of the ban it does."""
    assert each.bob.send("/ping") == ["pong"]
    care.ban(TERMINAL, [row_of(each.bob.id).id], OWNER, reason="spam")
    assert each.bob.send("/ping") == []
    care.unban(TERMINAL, [row_of(each.bob.id).id], OWNER)
    assert each.bob.send("/ping") == ["pong"]


def test_a_role_and_a_language_count_for_the_next_message(each: ChatKit) -> None:
    """A command of the new role is answered, in the new language."""
    each.bob.send("/ping")
    care.set_role(TERMINAL, row_of(each.bob.id).id, Role.MODERATOR, OWNER)
    assert each.bob.send("/ban") == [
        "I do not know who is meant: reply to their message, or give their id or @name."
    ]
    care.set_language(TERMINAL, row_of(each.bob.id).id, Language.RU, OWNER)
    (said,) = each.bob.send("/ban")
    assert "I do not know" not in said


def test_what_waits_in_memory_sees_a_ban_within_a_second(each: ChatKit) -> None:
    """Messages that were taken in before the ban share one object, which the chores bring up."""
    each.bob.send("/ping")
    waiting = each.core.inbox.people.get(each.bob.id)
    assert waiting is not None
    care.ban(TERMINAL, [waiting.id], OWNER)
    seen = [str(waiting.status)]
    each.chores()
    seen.append(str(waiting.status))
    assert seen == ["active", "banned"]


def test_a_change_from_before_the_process_began_is_no_news(each: ChatKit) -> None:
    """A long log is not read anew, and what nobody here has met is passed over."""
    stranger = User.create(telegram_id=5, first_name="S")
    care.ban(TERMINAL, [stranger.id], OWNER)
    each.chores()
    last, people = audit.changed_people(0)
    assert people == [stranger.id]
    assert audit.changed_people(last) == (last, [])
    assert each.core.inbox.people.get(5) is None


def test_a_change_is_seen_although_the_clocks_differ(each: ChatKit) -> None:
    """A row that a process with a fast clock wrote, changed by one with a slow clock."""
    each.bob.send("/ping")
    user = each.core.inbox.people.get(each.bob.id)
    assert user is not None
    users.set_language(user, Language.EN)
    ahead = user.updated_at + timedelta(seconds=30)
    User.update(updated_at=ahead).where(User.id == user.id).execute()
    user.take({"updated_at": ahead})
    care.ban(TERMINAL, [user.id], OWNER)
    assert row_of(each.bob.id).updated_at > ahead
    assert each.bob.send("/ping") == []


def test_a_question_that_was_cleared_takes_no_answer(each: ChatKit) -> None:
    """The next message after it is a message like any other."""
    each.bob.send("/feedback")
    row = Conversation.get()
    assert care.end_conversation(TERMINAL, row_of(each.bob.id).id, row.bot_id, row.chat_id)
    each.chores()
    assert each.bob.send("no letter") == ["I did not understand that. See what I can do: /help"]
    assert not Conversation.select().exists()


def test_a_question_that_stands_takes_its_answer(each: ChatKit) -> None:
    """Another change to the person leaves what the bot asked them as it is."""
    each.bob.send("/feedback")
    care.set_role(TERMINAL, row_of(each.bob.id).id, Role.MODERATOR, OWNER)
    each.chores()
    each.alice.send("/ping")
    each.bob.send("a letter")
    assert "a letter" in each.alice.transcript and not Conversation.select().exists()
