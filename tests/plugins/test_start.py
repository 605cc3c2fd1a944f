"""The welcome, and what brought people."""

from __future__ import annotations

from bot.testing import ChatKit
from models import AnalyticsEvent, User


def person(telegram_id: int) -> User:
    return User.get(telegram_id=telegram_id)


def test_people_are_welcomed_in_their_language(kit: ChatKit) -> None:
    """By name, in the language of their app."""
    kit.bob.send("/start")
    assert kit.bob.last == "Hello, Bob! I am here to help. Send /help to see what I can do."
    kit.vera.send("/start")
    assert kit.vera.last.startswith("Здравствуйте, Вера!")


def test_a_link_of_a_person_makes_them_the_referrer(kit: ChatKit) -> None:
    """Once: another link changes nothing, nor does one's own, nor one of a ring."""
    kit.alice.send("/start ref_1001")
    kit.bob.send("/start ref_1001")
    kit.bob.send("/start ref_1003")
    kit.alice.send("/start ref_1002")
    alice, bob = person(1001), person(1002)
    assert bob.referrer_id == alice.id and alice.referrer_id is None
    events = AnalyticsEvent.select().where(AnalyticsEvent.event_type == "user_referred")
    assert [(event.user_id, event.data) for event in events] == [(bob.id, {"by": 1001})]


def test_a_link_of_nobody_changes_nothing(kit: ChatKit) -> None:
    """A number that is nobody's, however long."""
    for payload in ("ref_5", f"ref_{'9' * 15}"):
        assert kit.bob.send(f"/start {payload}")[0].startswith("Hello")
    assert person(1002).referrer_id is None and person(1002).source is None


def test_any_other_link_is_the_source(kit: ChatKit) -> None:
    """Where a person came from is kept once, cut to what the column holds."""
    kit.bob.send("/start spring_2026")
    kit.bob.send("/start summer")
    assert person(1002).source == "spring_2026"
    kit.dan.send(f"/start ref_{'9' * 60}")
    assert person(1004).source == f"ref_{'9' * 60}"
