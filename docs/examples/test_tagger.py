"""The calls."""

import pytest

from bot.testing import ChatKit, Person, View


@pytest.fixture(autouse=True)
def members(alice: Person, bob: Person, dan: Person, group: View) -> None:
    """Three want to be called."""
    group.make_bot("administrator")
    for person in (alice, bob, dan):
        person.send("/callme", to=group)


def test_everybody_is_called(kit: ChatKit, alice: Person, group: View) -> None:
    """By a mention that reaches also those without a username; many by several messages."""
    assert alice.send("/all dinner <3", to=group) == ["Alice, Bob, Dan: dinner <3"]
    mentions = [entity["user"]["first_name"] for entity in group.messages[-1]["entities"]]
    assert mentions == ["Alice", "Bob", "Dan"]
    kit.preferences.set("tagger", "at_once", 2)
    assert alice.send("/all", to=group) == ["Alice, Bob: come here", "Dan: come here"]


def test_who_left_is_not_called(alice: Person, bob: Person, dan: Person, group: View) -> None:
    """Whether they left the list or the group."""
    bob.send("/leaveme", to=group)
    dan.leave(group)
    assert alice.send("/all", to=group) == ["Alice: come here"]


def test_a_private_chat_has_nobody_to_call(bob: Person) -> None:
    """The list is a group's."""
    assert bob.send("/callme") == ["That is for groups."]
    assert bob.send("/all") == ["Nobody wants to be called. Want to? /callme"]
