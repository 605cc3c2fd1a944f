"""The vote."""

from bot.testing import Person, View


def test_reactions_are_counted(alice: Person, bob: Person, dan: Person, group: View) -> None:
    """One voice each; it can be changed and taken back."""
    group.make_bot("administrator")
    alice.send("/vote Pizza tonight?", to=group)
    question = "Pizza tonight?\nReact with 👍 or 👎."
    assert group.last == question
    alice.react("👍", to=group)
    bob.react("👎", to=group)
    assert group.last == f"{question}\n👍 1  👎 1"
    bob.react("👍", to=group)
    dan.react("🔥", to=group)
    assert group.last == f"{question}\n👍 2  👎 0"
    alice.react("", to=group)
    assert group.last == f"{question}\n👍 1  👎 0"


def test_a_vote_needs_a_question(bob: Person) -> None:
    """It says how."""
    assert bob.send("/vote") == ["On what? /vote Pizza tonight?"]
