"""The quiz."""

from bot.testing import Person, View


def test_right_answers_count(alice: Person, bob: Person, group: View) -> None:
    """Each chat has its own score; the questions go round."""
    alice.send("/quiz@sandbox_bot", to=group)
    assert group.last == "How many legs has a spider?"
    alice.vote("Eight", to=group)
    bob.vote("Six", to=group)
    alice.send("/quiz@sandbox_bot", to=group)
    bob.vote("Jupiter", to=group)
    alice.vote("Jupiter", to=group)
    assert bob.send("/score@sandbox_bot", to=group) == ["Alice: 2\nBob: 1"]
    assert bob.send("/score") == ["Nobody has a point yet. Try /quiz"]


def test_other_polls_do_not_count(bob: Person) -> None:
    """The fourth question is the first one again."""
    for _ in range(4):
        bob.send("/quiz")
    assert bob.texts[0] == bob.texts[3]
