"""Switches and settings of plugins: in memory, in the table, in every process."""

from __future__ import annotations

from database import Database
from services.plugins import Preferences, Switches


def test_a_plugin_is_on_until_it_is_switched_off(database: Database) -> None:
    """Off everywhere holds in every chat, off in a chat only there."""
    switches = Switches()
    assert switches.on("notes") and switches.on("notes", 5)
    switches.set("notes", False, 5)
    assert not switches.on("notes", 5) and switches.on("notes", 6) and switches.on("notes")
    switches.set("notes", False)
    assert not switches.on("notes", 6) and not switches.on("notes")
    switches.set("notes", True, 5)
    assert not switches.on("notes", 5)
    switches.set("notes", True)
    assert switches.on("notes", 5) and switches.on("help")


def test_other_processes_follow_a_switch(database: Database) -> None:
    """Another process sees a switch when it reads the table, and is told that it changed."""
    here, there = Switches(), Switches()
    here.set("notes", False)
    assert there.on("notes")
    assert there.refresh() and not there.on("notes")
    assert not there.refresh()
    here.set("notes", True)
    assert there.refresh() and there.on("notes")


def test_a_setting_has_its_default_until_it_is_set(database: Database) -> None:
    """A setting that was set wins over the default, null and all, until it is reset."""
    preferences = Preferences()
    assert preferences.get("notes", "limit") is None
    assert preferences.get("notes", "limit", 20) == 20
    preferences.set("notes", "limit", 5)
    preferences.set("notes", "limit", 0)
    preferences.set("help", "limit", ["a"])
    assert preferences.get("notes", "limit", 20) == 0
    preferences.reset("notes", "limit")
    assert preferences.get("notes", "limit", 20) == 20
    assert preferences.get("help", "limit") == ["a"]


def test_other_processes_follow_a_setting(database: Database) -> None:
    """Another process sees a setting when it reads the table, and is told that it changed."""
    here, there = Preferences(), Preferences()
    here.set("notes", "texts", {"a": "я"})
    assert there.get("notes", "texts") is None
    assert there.refresh() and there.get("notes", "texts") == {"a": "я"}
    assert not there.refresh()
    here.reset("notes", "texts")
    assert there.refresh() and there.get("notes", "texts", 1) == 1
