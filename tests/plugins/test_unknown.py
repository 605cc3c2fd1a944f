"""The last resort."""

from __future__ import annotations

from bot.testing import ChatKit


def test_what_nobody_took_is_answered(kit: ChatKit) -> None:
    """A command that is none, and plain text, each in its own way."""
    kit.bob.send("/nothing here")
    assert kit.bob.last == "I do not know /nothing. See what I can do: /help"
    kit.bob.send("good morning")
    assert kit.bob.last == "I did not understand that. See what I can do: /help"


def test_it_is_silent_in_groups(kit: ChatKit) -> None:
    """People there talk to each other."""
    kit.alice.send("/nothing@sandbox_bot", to=kit.group)
    kit.alice.send("@sandbox_bot good morning", to=kit.group)
    assert kit.group.texts == []


def test_a_switched_off_command_is_unknown(kit: ChatKit) -> None:
    """And known again when it is on."""
    kit.switches.set("notes", enabled=False)
    kit.bob.send("/notes")
    assert kit.bob.last.startswith("I do not know /notes.")
    kit.switches.set("notes", enabled=True)
    kit.bob.send("/notes")
    assert kit.bob.last.startswith("There are no notes here.")
