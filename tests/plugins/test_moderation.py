"""Bans and roles: who may do what to whom, and what becomes of it."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from bot.testing import ChatKit, Person
from database import Database
from models import AnalyticsEvent, Ban, Language, Role, Status, User
from services import users

NOBODY = "I do not know who is meant: reply to their message, or give their id or @name."
ROLES = {"alice": Role.OWNER, "vera": Role.ADMIN, "bob": Role.MODERATOR, "dan": Role.USER}


@pytest.fixture
def kit(kit: ChatKit) -> ChatKit:
    """Somebody of each role, whom the bot has met."""
    for name, role in ROLES.items():
        getattr(kit, name).send("/language")
        users.set_role(User.get(telegram_id=getattr(kit, name).id), role)
    users.set_language(User.get(telegram_id=kit.vera.id), Language.EN)
    return kit


def row(person: Person) -> User:
    return User.get(telegram_id=person.id)


def is_banned(person: Person) -> bool:
    return row(person).status == Status.BANNED


def test_somebody_is_banned_for_good(kit: ChatKit) -> None:
    """They are told why, and get nothing any more; the event says who did it."""
    assert kit.bob.send("/ban 1004 He sells things") == ["Dan is banned."]
    assert kit.dan.last == "You are banned.\nReason: He sells things"
    assert is_banned(kit.dan) and kit.dan.send("/ping") == []
    kit.restart()
    assert kit.dan.send("/ping") == []
    ban = Ban.get()
    assert (ban.user, ban.by, ban.until) == (row(kit.dan), row(kit.bob), None)
    event = AnalyticsEvent.get(AnalyticsEvent.event_type == "user_banned")
    assert event.user == row(kit.bob)
    assert event.data == {"user": 1004, "until": "", "reason": "He sells things"}


def test_a_ban_ends_when_its_time_is_over(kit: ChatKit) -> None:
    """By itself, and not before."""
    (said,) = kit.bob.send("/ban 1004 2h")
    end = f"{kit.clock() + timedelta(hours=2):%d.%m.%Y %H:}"
    assert re.fullmatch(rf"Dan is banned until {end}\d\d UTC\.", said)
    assert kit.dan.last.startswith(f"You are banned until {end}")
    kit.pass_time(hours=1, minutes=59)
    kit.chores()
    assert kit.dan.send("/ping") == []
    kit.pass_time(minutes=1)
    kit.chores()
    assert kit.dan.send("/ping") == ["pong"] and not Ban.select().exists()


@pytest.mark.parametrize(
    ("time", "length"),
    [("5m", timedelta(minutes=5)), ("3d", timedelta(days=3)), ("1w", timedelta(weeks=1))],
)
def test_times_are_in_minutes_hours_days_and_weeks(
    kit: ChatKit, time: str, length: timedelta
) -> None:
    """A number and a letter."""
    kit.bob.send(f"/ban 1004 {time} noise")
    ban = Ban.get()
    assert ban.until is not None
    assert abs(ban.until - kit.clock() - length) < timedelta(minutes=1) and ban.reason == "noise"


def test_a_later_ban_takes_the_place_of_the_first(kit: ChatKit) -> None:
    """What was for an hour is for good then, and no chore ends it."""
    kit.bob.send("/ban 1004 1h noise")
    kit.bob.send("/ban 1004 more noise")
    kit.pass_time(hours=2)
    kit.chores()
    assert is_banned(kit.dan) and Ban.get().reason == "more noise"


def test_somebody_is_meant_by_name_or_by_reply(kit: ChatKit) -> None:
    """The name in any case; a reply names whoever wrote the message."""
    assert kit.alice.send("/ban @BOB 1h") != [NOBODY] and is_banned(kit.bob)
    assert kit.alice.send("/unban @bob") == ["Bob is not banned any more."]
    assert kit.bob.last == "You are not banned any more." and not is_banned(kit.bob)
    kit.telegram.member(kit.bot_id, kit.group.id, kit.dan.id, "member")
    message = kit.telegram.send(kit.bot_id, kit.group.id, kit.dan.id, text="buy this")
    kit.telegram.send(
        kit.bot_id,
        kit.group.id,
        kit.alice.id,
        text="/ban@sandbox_bot 2h spam",
        reply_to=message["message_id"],
    )
    kit.step()
    assert kit.group.last.startswith("Dan is banned until") and Ban.get().reason == "spam"


@pytest.mark.parametrize("words", ["", " spam", " @nobody", " 77", f" {'9' * 30}", " @", " -5"])
def test_who_is_not_found_is_asked_for(kit: ChatKit, words: str) -> None:
    """No words, or those of nobody whom the bot has met."""
    assert kit.bob.send(f"/ban{words}") == [NOBODY]
    assert not Ban.select().exists()


def test_rank_decides(kit: ChatKit) -> None:
    """Nobody acts on themselves, their own rank or a higher one; owners are banned by nobody."""
    for actor, role in ROLES.items():
        for target, other_role in ROLES.items():
            person, other = getattr(kit, actor), getattr(kit, target)
            may = role >= Role.MODERATOR and role > other_role
            person.send(f"/ban {other.id}")
            assert is_banned(other) is may, (actor, target, person.last)
            users.unban(row(other))
    assert kit.bob.send("/ban 1002") == ["You cannot do this to yourself."]
    assert kit.bob.send("/ban @vera") == ["Вера has a role that is not below yours."]
    assert kit.dan.send("/unban @bob") == ["You may not use this command."]


def test_an_unban_needs_the_rank_too(kit: ChatKit) -> None:
    """A moderator does not undo what an admin did to another moderator."""
    users.set_role(row(kit.dan), Role.MODERATOR)
    kit.vera.send("/ban 1004")
    assert kit.bob.send("/unban 1004") == ["Dan has a role that is not below yours."]
    assert kit.vera.send("/unban 1004") == ["Dan is not banned any more."]
    assert kit.vera.send("/unban 1004") == ["Dan is not banned."]


def test_roles_are_given_below_ones_own(kit: ChatKit) -> None:
    """The person is told, and may do at once what the role may."""
    assert kit.vera.send("/role 1004 moderator") == ["The role of Dan is now: moderator"]
    assert kit.dan.last == "Your role is now: moderator" and row(kit.dan).role == Role.MODERATOR
    kit.dan.send("/ban @alice")
    assert kit.dan.last == "Alice has a role that is not below yours."
    for words in ("1004 admin", "1004 owner", "1004 king", "1004", "1004 user please"):
        assert kit.vera.send(f"/role {words}") == ["Name one of the roles: user, moderator"]
    assert kit.alice.send("/role @vera user") == ["The role of Вера is now: user"]
    assert kit.bob.send("/role 1004 user") == ["You may not use this command."]


def test_the_person_is_told_in_their_own_language(kit: ChatKit) -> None:
    """Whatever the moderator speaks."""
    users.set_language(row(kit.vera), Language.RU)
    assert kit.alice.send("/ban @vera noise") == ["Вера is banned."]
    assert kit.vera.last == "Вы заблокированы.\nПричина: noise"


def test_who_blocked_the_bot_can_be_banned(kit: ChatKit) -> None:
    """They do not hear of it, and the ban stays when they come back."""
    kit.dan.block()
    assert kit.bob.send("/ban 1004") == ["Dan is banned."]
    kit.dan.block(False)
    assert is_banned(kit.dan) and kit.dan.send("/ping") == []


def test_ending_bans_touches_nothing_else(database: Database) -> None:
    """A ban of the panel without a row, and one that is not over, stay."""
    people = [User.create(telegram_id=n, first_name=str(n)) for n in range(4)]
    at = people[0].created_at
    users.ban(people[1], by=people[0], until=at + timedelta(hours=1))
    users.ban(people[2], by=people[0], until=at + timedelta(hours=3))
    users.set_status(people[3], Status.BANNED)
    assert users.lift_bans(at + timedelta(hours=2)) == 1
    assert users.lift_bans(at + timedelta(hours=2)) == 0
    assert [User.get_by_id(each.id).status for each in people] == [
        *("active", "active"),
        *("banned", "banned"),
    ]
