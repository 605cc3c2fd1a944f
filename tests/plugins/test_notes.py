"""Notes: kept, listed, deleted, asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bot.loader import load, sources
from bot.testing import ChatKit
from database import bind, open_database
from services.migrations import migrate
from tests.plugins import forged


def note_model(kit: ChatKit) -> Any:
    return kit.registry.plugins["notes"].models[0]


def test_a_note_is_kept_and_listed(kit: ChatKit) -> None:
    """At once with the command, numbered in the list, a button for each."""
    assert kit.bob.send("/notes") == ["There are no notes here. Keep one: /note"]
    assert kit.bob.send("/note Buy milk") == ["Noted. See them all: /notes"]
    kit.bob.send("/n Call\nmother")
    kit.bob.send("/notes")
    assert kit.bob.last == "1. Buy milk\n2. Call mother"
    assert kit.bob.buttons == ["Delete 1", "Delete 2"]


def test_a_note_is_deleted_by_its_button(kit: ChatKit) -> None:
    """The list is made anew in the same message; the last note leaves no buttons."""
    for text in ("one", "two"):
        kit.bob.send(f"/note {text}")
    kit.bob.send("/notes")
    assert kit.bob.tap("Delete 1") == "Deleted."
    assert kit.bob.last == "1. two"
    kit.bob.tap("Delete 1")
    assert kit.bob.last == "There are no notes here. Keep one: /note"
    assert kit.bob.buttons == [] and note_model(kit).select().count() == 0


def test_the_bot_asks_for_the_note(kit: ChatKit) -> None:
    """The answer is kept, over a restart too; something else than text is asked for again."""
    kit.bob.send("/note")
    assert kit.bob.last == "What shall I note? Send /cancel to leave it."
    kit.bob.send_file("a.txt", b"a")
    assert kit.bob.last == "I can only keep text. What shall I note?"
    kit.restart()
    kit.bob.send("Buy milk")
    assert kit.bob.last == "Noted. See them all: /notes"
    assert [note.text for note in note_model(kit).select()] == ["Buy milk"]


def test_the_question_can_be_left(kit: ChatKit) -> None:
    """/cancel closes it; after ten minutes it is forgotten."""
    kit.bob.send("/note")
    kit.bob.send("/cancel")
    assert kit.bob.last == "Cancelled."
    kit.bob.send("/note")
    kit.pass_time(minutes=11)
    kit.bob.send("Buy milk")
    assert "did not understand" in kit.bob.last and note_model(kit).select().count() == 0


def test_each_chat_has_its_own_notes(kit: ChatKit) -> None:
    """A group's are for the group; nobody deletes another chat's."""
    kit.alice.send("/note@sandbox_bot Meet at noon", to=kit.group)
    kit.bob.send("/note secret")
    kit.alice.send("/notes@sandbox_bot", to=kit.group)
    assert kit.group.last == "1. Meet at noon"
    secret = note_model(kit).get(text="secret").id
    forged.tap(kit, kit.alice, f"notes:delete:{secret}", to=kit.group)
    forged.tap(kit, kit.alice, "notes:delete:nonsense", to=kit.group)
    assert note_model(kit).select().count() == 2


def test_a_chat_is_full_by_the_setting(kit: ChatKit) -> None:
    """The limit is the one in force, in the users' language."""
    kit.preferences.set("notes", "limit", 1)
    kit.vera.send("/note один")
    kit.vera.send("/note два")
    assert kit.vera.last == "Для новой заметки нет места. Сначала удалите одну: /notes"
    kit.preferences.set("notes", "limit", 2)
    kit.vera.send("/note два")
    assert kit.vera.last == "Записано. Все заметки: /notes"


def test_a_long_list_fits_a_message(kit: ChatKit) -> None:
    """The newest twenty, each cut to a line."""
    kit.preferences.set("notes", "limit", 100)
    model = note_model(kit)
    model.insert_many([{"chat_id": 1002, "text": "long word " * 300}] * 30).execute()
    kit.bob.send("/notes")
    lines = kit.bob.last.splitlines()
    assert (len(lines), len(kit.bob.buttons)) == (20, 20)
    assert lines[0].startswith("11. ") and lines[0].endswith(" [...]")


def test_the_migration_makes_what_the_model_says(empty_database_url: str) -> None:
    """The table takes a note and gives it back."""
    database = bind(open_database(empty_database_url))
    registry = load([Path("plugins")])
    found = sources(registry)
    with database.connection_context():
        assert "notes/001_initial" in migrate(database, found)
    with database.connection_context():
        model: Any = registry.plugins["notes"].models[0]
        model.create(chat_id=-(10**13), text="ж" * 5000)
        assert model.get().chat_id == -(10**13)
        indexed = [index.columns for index in database.get_indexes("notes_note")]
        assert ["chat_id"] in indexed
    database.close_all()
