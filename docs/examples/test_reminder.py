"""The reminder."""

from datetime import timedelta

import pytest

from bot.testing import ChatKit, Person


def test_a_reminder_comes_by_the_clock_on_the_wall(kit: ChatKit, bob: Person) -> None:
    """Also when the bot was killed in between; and once."""
    bob.send("/timezone Tokyo")
    in_tokyo = kit.clock() + timedelta(hours=9, minutes=90)
    assert f"at {in_tokyo:%H:%M} (JST)" in bob.send(f"/remind {in_tokyo:%H:%M} Tea")[0]
    kit.restart()
    kit.pass_time(minutes=88)
    kit.step()
    assert bob.last.startswith("I shall remind you")
    kit.pass_time(minutes=3)
    kit.step()
    assert bob.last == "⏰ Tea"
    kit.pass_time(days=2)
    kit.step()
    assert bob.texts.count("⏰ Tea") == 1


@pytest.mark.parametrize(("when", "minutes"), [("90m", 90), ("2h", 120), ("1d", 1440)])
def test_so_long_from_now(kit: ChatKit, bob: Person, when: str, minutes: int) -> None:
    """Minutes, hours and days."""
    bob.send(f"/remind {when} Tea")
    kit.pass_time(minutes=minutes - 1)
    kit.step()
    assert bob.last.startswith("I shall remind you")
    kit.pass_time(minutes=1)
    kit.step()
    assert bob.last == "⏰ Tea"


@pytest.mark.parametrize("text", ["", " Tea", " 18:30", " 25:00 Tea", " 18:75 Tea", " soon Tea"])
def test_what_is_no_moment_is_asked_for(bob: Person, text: str) -> None:
    """With the ways to say it."""
    assert bob.send(f"/remind{text}")[0].startswith("When, and of what?")


def test_a_place_that_nobody_knows(bob: Person) -> None:
    """The zone stays as it was."""
    assert bob.send("/timezone Nowhere")[0].startswith("Which city's time")
