"""What is changed about one person, and who brought whom."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from database import Database
from models import Chat, Conversation, Language, PluginSwitch, Role, Status, User
from services import users
from services.plugins import Switches


def person(number: int) -> User:
    """A person in the table."""
    return User.create(telegram_id=number, first_name=f"P{number}")


def test_somebody_is_found_by_their_number(database: Database) -> None:
    """A person is found by the Telegram id, and nobody by another."""
    user = person(5)
    assert users.find(5) == user
    assert users.find(6) is None


def test_changes_reach_the_row_and_the_object(database: Database) -> None:
    """Role, status and language are written at once, seen at once, and count as a change."""
    user = person(1)
    before = user.updated_at
    users.set_role(user, Role.MODERATOR)
    users.set_status(user, Status.BANNED)
    users.set_language(user, Language.RU)
    for seen in (user, User.get()):
        found = (seen.role, seen.status, seen.language)
        assert found == (Role.MODERATOR, Status.BANNED, Language.RU)
    assert User.get().updated_at == user.updated_at > before
    assert not user.is_dirty()


def test_a_change_is_part_of_the_callers_transaction(database: Database) -> None:
    """What a service wrote goes with the transaction that is rolled back."""
    user = person(1)
    with database.atomic() as transaction:
        users.set_role(user, Role.ADMIN)
        transaction.rollback()
    assert User.get().role is Role.USER


def test_the_first_source_stays(database: Database) -> None:
    """Where a person came from is noted once, and not longer than the column."""
    user = person(1)
    assert users.set_source(user, "a" * 100)
    assert not users.set_source(user, "b")
    assert User.get().source == user.source == "a" * 64


def test_a_referral_is_noted_once(database: Database) -> None:
    """The first who brought a person is kept, in the row and in the object."""
    user, first, second = person(1), person(2), person(3)
    assert users.refer(user, first.telegram_id)
    assert not users.refer(user, second.telegram_id)
    assert User.get(User.telegram_id == 1).referrer == first == user.referrer


def test_nobody_brings_themselves_or_comes_from_nowhere(database: Database) -> None:
    """A link of one's own, and that of an unknown person, count for nothing."""
    user = person(1)
    assert not users.refer(user, 1)
    assert not users.refer(user, 99)
    assert User.get().referrer_id is None


@pytest.mark.parametrize("length", [2, 3, 6])
def test_referrals_never_make_a_ring(database: Database, length: int) -> None:
    """Whom one brought, directly or over others, cannot have brought one."""
    line = [person(number) for number in range(1, length + 1)]
    for child, parent in zip(line[1:], line):
        assert users.refer(child, parent.telegram_id)
    assert not users.refer(line[0], line[-1].telegram_id)


def test_a_ring_that_is_there_is_survived(database: Database) -> None:
    """A ring in the table, however it came, stops no referral."""
    first, second, third = person(1), person(2), person(3)
    User.update(referrer=second).where(User.id == first.id).execute()
    User.update(referrer=first).where(User.id == second.id).execute()
    assert users.refer(third, 1)


def test_referrals_at_once_never_make_a_ring(database: Database) -> None:
    """Of three people who name each other in a ring at the same moment two succeed at most."""
    start = threading.Barrier(3)

    def refer(user: User, other: int) -> bool:
        with database.connection_context():
            start.wait(5)
            return users.refer(user, other)

    with ThreadPoolExecutor(3) as pool:
        for turn in range(8):
            trio = [person(10 * turn + number) for number in range(3)]
            others = [trio[1], trio[2], trio[0]]
            done = pool.map(refer, trio, [other.telegram_id for other in others])
            assert sorted(done) == [False, True, True]


def test_referrals_are_counted(database: Database) -> None:
    """A person sees how many came by them, and how many of those are still active."""
    user = person(1)
    for number, status in ((2, Status.ACTIVE), (3, Status.BLOCKED), (4, Status.ACTIVE)):
        came = person(number)
        users.set_status(came, status)
        users.refer(came, 1)
    assert users.referrals(user) == users.Referrals(came=3, stayed=2)
    assert users.referrals(came) == (0, 0)


def test_a_group_that_becomes_a_supergroup_keeps_its_own(database: Database) -> None:
    """The chat, its conversations and its switches move to the new id, of this bot alone."""
    for bot_id in (1, 2):
        row = {"bot_id": bot_id, "telegram_id": -5, "kind": "group"}
        Chat.create(**row, title="T", membership="member")
        row = {"bot_id": bot_id, "chat_id": -5, "user_id": 7}
        Conversation.create(**row, step="a.b", data={}, expires_at=Chat.get().created_at)
    switches = Switches()
    switches.set("notes", False, -5)
    switches.set("help", False, -9)
    users.migrate_chat(1, -5, -1005)
    moved = Chat.get(Chat.bot_id == 1)
    assert (moved.telegram_id, moved.kind, moved.title) == (-1005, "supergroup", "T")
    assert Chat.get(Chat.bot_id == 2).telegram_id == -5
    chats = Conversation.select().order_by(Conversation.bot_id)
    assert [conversation.chat_id for conversation in chats] == [-1005, -5]
    switches.refresh()
    assert not switches.on("notes", -1005) and switches.on("notes", -5)
    assert not switches.on("help", -9)


def test_what_the_supergroup_has_already_stays(database: Database) -> None:
    """Where the new id has its like the old one goes, and a second time changes nothing."""
    for telegram_id, title in ((-5, "old"), (-1005, "new")):
        Chat.create(bot_id=1, telegram_id=telegram_id, kind="group", title=title, membership="m")
        PluginSwitch.create(plugin="p", chat_id=telegram_id, enabled=title == "new")
    users.migrate_chat(1, -5, -1005)
    users.migrate_chat(1, -5, -1005)
    assert [chat.title for chat in Chat.select()] == ["new"]
    assert [(switch.chat_id, switch.enabled) for switch in PluginSwitch.select()] == [(-1005, True)]
