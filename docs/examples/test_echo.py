"""The echo."""

from bot.testing import ChatKit, Person, View


def test_what_is_said_comes_back(bob: Person, alice: Person, group: View) -> None:
    """In a private chat; a group is left in peace."""
    assert bob.send("Hello") == ["Hello"]
    assert alice.send("@sandbox_bot Hello", to=group) == []


def test_what_is_sent_comes_back(kit: ChatKit, bob: Person) -> None:
    """A photo with its caption."""
    assert bob.send_photo("The sea") == ["The sea"]
    assert "photo" in kit.bob.messages[-1]
