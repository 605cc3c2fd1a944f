"""The tables: enumerations, defaults and what a save writes, on both engines."""

from __future__ import annotations

import re

import peewee
import pytest

from database import Database
from models import (
    AnalyticsEvent,
    Base,
    EventType,
    Inbox,
    Language,
    PluginSetting,
    Role,
    Status,
    User,
)
from staff import TABLES


def test_roles_are_ordered_by_what_they_may() -> None:
    """A role is above those before it, whatever their names' letters, and compares with texts."""
    assert sorted(["owner", "user", "admin", "moderator"], key=Role) == list(Role)
    assert [role.rank for role in Role] == [0, 1, 2, 3]
    assert Role.ADMIN > Role.USER and Role.ADMIN >= "admin" and Role.ADMIN >= Role.USER
    assert Role.USER < Role.MODERATOR <= Role.MODERATOR and Role.USER <= "owner"
    assert not Role.USER > Role.ADMIN and not Role.OWNER < Role.ADMIN
    with pytest.raises(ValueError, match="boss"):
        assert Role.USER < "boss"


def test_every_table_is_listed_once() -> None:
    """TABLES has every model of the core, each with a table name of its own."""
    assert set(Base.__subclasses__()) >= set(TABLES)
    assert {m for m in Base.__subclasses__() if m.__module__ in ("models", "staff")} == set(TABLES)
    assert len({model._meta.table_name for model in TABLES}) == len(TABLES)


def test_enumerations_come_back_as_themselves(database: Database) -> None:
    """A stored role, status and language reads as its member, also where it is compared."""
    User.create(telegram_id=1, first_name="A", role=Role.ADMIN, language="ru")
    user = User.get(User.role == Role.ADMIN)
    assert (user.role, user.status, user.language) == (Role.ADMIN, Status.ACTIVE, Language.RU)
    assert isinstance(user.role, Role)
    assert User.select().where(User.status.in_([Status.ACTIVE, Status.BLOCKED])).count() == 1


def test_a_value_outside_the_enumeration_is_refused(database: Database) -> None:
    """A misspelled role is an error when it is written."""
    with pytest.raises(ValueError, match="'boss' is not a valid Role"):
        User.create(telegram_id=1, first_name="A", role="boss")


def test_a_value_of_a_newer_release_reads_as_the_harmless_one(database: Database) -> None:
    """An unknown role gives no rights, and an unknown value stops nothing."""
    User.create(telegram_id=1, first_name="A")
    database.execute_sql("UPDATE users SET role = 'boss', language = 'fr'")
    user = User.get()
    assert (user.role, user.language) == (Role.USER, Language.EN)


def test_the_database_knows_the_defaults(database: Database) -> None:
    """A row that is written without Peewee has the same defaults."""
    database.execute_sql(
        "INSERT INTO users (telegram_id, first_name, created_at, updated_at)"
        " VALUES (1, 'A', '2030-01-01 00:00:00', '2030-01-01 00:00:00')"
    )
    user = User.get()
    found = (user.language, user.status, user.role, user.total_messages)
    assert found == (Language.EN, Status.ACTIVE, Role.USER, 0)
    assert user.created_at.year == 2030


def test_a_save_writes_only_what_was_changed(database: Database) -> None:
    """A counter that somebody else raised meanwhile is not undone by a save."""
    user = User.create(telegram_id=1, first_name="A")
    User.update(total_messages=5).execute()
    user.first_name = "B"
    user.save()
    row = User.get()
    assert (row.first_name, row.total_messages) == ("B", 5)


def test_taken_values_are_not_saved(database: Database) -> None:
    """What an object takes over from its row is held, leaves no stale relation, and is clean."""
    first = User.create(telegram_id=1, first_name="A")
    second = User.create(telegram_id=2, first_name="B", referrer=first)
    third = User.create(telegram_id=3, first_name="C")
    second.first_name = "changed"
    second.take({"first_name": "new", "referrer": third.id})
    assert second.first_name == "new" and second.referrer == third
    assert second.referrer_id == third.id and not second.is_dirty()


def test_a_person_has_a_name_to_show() -> None:
    """The name is the first and the last, or the number of somebody without any."""
    assert User(telegram_id=1, first_name="Ann", last_name="Lee").name == "Ann Lee"
    assert User(telegram_id=1, first_name="Ann").name == "Ann"
    assert User(telegram_id=7, first_name="").name == "7"


def test_json_keeps_its_types(database: Database) -> None:
    """What JSON has comes back as it was, Cyrillic and null included."""
    for number, value in enumerate([{"a": [1, None, "Вера"]}, [], 0, "text", True, 1.5]):
        PluginSetting.create(plugin="p", key=str(number), value=value)
        assert PluginSetting.get(PluginSetting.key == str(number)).value == value


def test_deleting_a_person_keeps_those_they_brought(database: Database) -> None:
    """Their events go, and the people whom they brought stay without a referrer."""
    first = User.create(telegram_id=1, first_name="A")
    User.create(telegram_id=2, first_name="B", referrer=first)
    AnalyticsEvent.create(event_type=EventType.MESSAGE, user=first, data={})
    User.delete().where(User.id == first.id).execute()
    assert User.get().referrer_id is None
    assert AnalyticsEvent.select().count() == 0


def test_an_update_is_kept_once(database: Database) -> None:
    """The same update of the same bot cannot be in the inbox twice."""
    row = {"bot_id": 1, "update_id": 2, "lane": 3, "kind": "message", "state": "new"}
    Inbox.create(**row)
    with pytest.raises(peewee.IntegrityError):
        Inbox.create(**row)
    Inbox.create(**{**row, "bot_id": 2})


def test_open_updates_are_found_by_a_small_index(database: Database) -> None:
    """The index of open updates holds only those, so that it stays small."""
    indexes = {index.name: index.sql for index in database.get_indexes("inbox")}
    assert re.search(r"WHERE \(?done_at IS NULL", str(indexes["inbox_open"]))
