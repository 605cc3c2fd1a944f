"""The search."""

from bot.testing import Person


def test_a_part_of_the_name_finds_it(bob: Person) -> None:
    """In any case; nothing typed gives everything."""
    assert bob.ask_inline("KO") == ["South Korea"]
    assert len(bob.ask_inline("")) == 6
    assert bob.ask_inline("atlantis") == []


def test_what_is_chosen_is_said(bob: Person) -> None:
    """The message has country and capital."""
    bob.ask_inline("jap")
    assert bob.choose("Japan") == "The capital of Japan is Tokyo."
