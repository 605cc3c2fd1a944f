"""Groups: a welcome, rules, and peace."""

from __future__ import annotations

import pytest

from bot.testing import ChatKit
from sandbox.telegram import Impossible


def lead(kit: ChatKit) -> int:
    """Make the bot an administrator of the group."""
    kit.telegram.member(kit.bot_id, kit.group.id, kit.bot_id, "administrator")
    kit.step()
    return kit.group.id


def test_newcomers_are_welcomed_by_the_setting(kit: ChatKit) -> None:
    """Not without it."""
    group = lead(kit)
    for text in ("", "Welcome to {title}, {name}!"):
        kit.preferences.set("groups", "welcome", text)
        kit.telegram.member(kit.bot_id, group, 1004, "left")
        kit.telegram.member(kit.bot_id, group, 1004, "member")
        kit.step()
    assert kit.group.texts == ["Welcome to Steady team, Dan!"]


def test_the_rules_are_the_admins(kit: ChatKit) -> None:
    """They set, change and remove them; everybody reads them."""
    lead(kit)
    for who, command, answer in (
        (kit.bob, "/rules", "There are no rules here."),
        (kit.bob, "/setrules Be loud", "Only the admins of this group may do that."),
        (kit.alice, "/setrules Be kind", "These are the rules from now on. Read them: /rules"),
        (kit.alice, "/setrules Be kind.\nBe brief.", "These are the rules from now on. "),
        (kit.vera, "/rules", "Be kind.\nBe brief."),
        (kit.alice, "/setrules", "There are no rules here any more."),
        (kit.bob, "/rules", "There are no rules here."),
    ):
        assert who.send(command, to=kit.group)[0].startswith(answer)
    assert kit.alice.send("/setrules x") == ["Rules are for groups."]


def test_a_flood_is_warned_of_and_then_muted(kit: ChatKit) -> None:
    """The first time a word, the next time silence for the minutes of the setting."""
    lead(kit)
    kit.preferences.set("groups", "flood_messages", 3)
    kit.pass_time(hours=1)
    said = [kit.bob.send("spam", to=kit.group) for _ in range(8)]
    assert said[3] == ["Bob, please write less."] and said[7] == ["Bob is muted for a while."]
    assert [text for texts in said for text in texts] == [*said[3], *said[7]]
    with pytest.raises(Impossible, match="may not write"):
        kit.bob.send("spam", to=kit.group)
    kit.pass_time(minutes=11)
    assert kit.bob.send("Sorry", to=kit.group) == []


def test_who_writes_at_ease_is_left_alone(kit: ChatKit) -> None:
    """Also admins, who cannot be muted, get no more than a word; without the setting, nobody."""
    lead(kit)
    assert [kit.dan.send("hello", to=kit.group) for _ in range(20)] == [[]] * 20
    kit.preferences.set("groups", "flood_messages", 3)
    for _ in range(6):
        kit.pass_time(seconds=11)
        assert kit.dan.send("hello", to=kit.group) == []
    said = [kit.alice.send("spam", to=kit.group) for _ in range(8)]
    assert [text for texts in said for text in texts] == ["Alice, please write less."]
