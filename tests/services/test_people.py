"""Meeting people: a batch in two statements, shared objects, and nobody's write undone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import peewee

from database import Database
from models import AnalyticsEvent, EventType, Language, Role, Status, User
from services import users
from services.people import COLUMNS, FIELDS, TIMES, People, Sender

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC).replace(tzinfo=None)
LATER = NOW + timedelta(seconds=1)


def sender(number: int, name: str = "Ann", code: str | None = "en") -> Sender:
    """A person as an update describes them."""
    return Sender(number, f"u{number}", name, None, code)


def statements(database: Database) -> list[str]:
    """The list into which every statement goes from now on."""
    seen: list[str] = []
    database.query_hooks.append(lambda event: seen.append(event.sql.split()[0]))
    return seen


def test_newcomers_are_written_with_their_event(database: Database) -> None:
    """A new person gets a row, an object that matches it, and one `user_joined` event."""
    met = People(frozenset(), "en").meet([sender(1), sender(2)], now=NOW)
    assert met == {user.telegram_id: user for user in User.select()}
    user = User.get(User.telegram_id == 1)
    assert met[1].__data__ == user.__data__
    assert (user.username, user.status, user.role) == ("u1", Status.ACTIVE, Role.USER)
    events = AnalyticsEvent.select().order_by(AnalyticsEvent.user)
    assert [event.user_id for event in events] == [met[1].id, met[2].id]
    assert {event.event_type for event in events} == {EventType.USER_JOINED}
    assert not met[1].is_dirty()


def test_a_batch_costs_a_handful_of_statements(database: Database) -> None:
    """A batch of a hundred new people costs three statements, and one when all are known."""
    people, batch = People(frozenset(), "en"), [sender(number) for number in range(100)]
    seen = statements(database)
    people.meet(batch, now=NOW)
    assert seen == ["SELECT", "INSERT", "INSERT"]
    seen.clear()
    people.meet(batch, now=LATER)
    assert seen == ["SELECT"]
    seen.clear()
    people.meet([sender(1, "Bob")], now=LATER)
    assert seen == ["SELECT", "SELECT", "INSERT"]
    assert people.meet([], now=LATER) == {}


def test_a_restart_writes_nothing_anew(database: Database) -> None:
    """A process that knows nobody yet writes no known person and no second event."""
    People(frozenset(), "en").meet([sender(1)], now=NOW)
    seen = statements(database)
    People(frozenset(), "en").meet([sender(1)], now=LATER)
    assert seen == ["SELECT"]
    assert AnalyticsEvent.select().count() == 1


def test_new_names_are_kept(database: Database) -> None:
    """A changed name, or one that went away, is written; the language that was chosen stays."""
    people = People(frozenset(), "en")
    user = people.meet([Sender(1, "old", "Ann", "Lee", "en")], now=NOW)[1]
    users.set_language(user, Language.RU)
    user.take({"updated_at": NOW})
    met = people.meet([Sender(1, None, "Anna", None, "en")], now=LATER)
    row = User.get()
    assert (row.username, row.first_name, row.last_name) == (None, "Anna", None)
    assert (row.language, row.updated_at, row.created_at) == (Language.RU, LATER, NOW)
    assert met[1] is user and user.first_name == "Anna"


def test_of_two_descriptions_the_last_counts(database: Database) -> None:
    """A person who renames within a batch has the later name and one row."""
    People(frozenset(), "en").meet([sender(1, "Ann"), sender(1, "Bea")], now=NOW)
    assert [user.first_name for user in User.select()] == ["Bea"]


def test_newcomers_are_spoken_to_in_their_language(database: Database) -> None:
    """A language that the bot speaks is taken over, whatever its region; else the default."""
    codes = [None, "en", "ru-RU", "RU", "fr", "x" * 40]
    batch = [sender(number, code=code) for number, code in enumerate(codes)]
    met = People(frozenset(), "ru").meet(batch, now=NOW)
    assert [met[number].language for number in range(6)] == ["ru", "en", "ru", "ru", "ru", "ru"]


def test_owners_are_owners(database: Database) -> None:
    """Who is an owner by the settings is one from the first update, and after a demotion again."""
    people = People(frozenset({1}), "en")
    met = people.meet([sender(1), sender(2)], now=NOW)
    assert (met[1].role, met[2].role) == (Role.OWNER, Role.USER)
    User.update(role=Role.ADMIN).execute()
    met = people.meet([sender(1), sender(2)], now=LATER)
    assert (met[1].role, met[2].role) == (Role.OWNER, Role.ADMIN)


def test_a_person_is_one_object(database: Database) -> None:
    """Every batch gives the same object, brought up to what others wrote meanwhile."""
    people = People(frozenset(), "en")
    user = people.meet([sender(1)], now=NOW)[1]
    assert people.get(1) is user and people.get(2) is None
    User.update(status=Status.BANNED, total_messages=7, updated_at=LATER).execute()
    assert people.meet([sender(1)], now=LATER)[1] is user
    assert (user.status, user.total_messages, user.updated_at) == (Status.BANNED, 7, LATER)


def test_an_older_row_does_not_undo_a_newer_object(database: Database) -> None:
    """What a handler has just set stays set while its transaction is not committed."""
    people = People(frozenset(), "en")
    user = people.meet([sender(1)], now=NOW)[1]
    user.take({"language": Language.RU, "updated_at": LATER})
    people.meet([sender(1)], now=LATER)
    assert user.language == "ru"
    people.meet([sender(1)], now=LATER + timedelta(minutes=2))
    assert user.language == "en"


def test_a_rolled_back_write_can_be_forgotten(database: Database) -> None:
    """After `forget` the next batch gives an object that matches the row."""
    people = People(frozenset(), "en")
    user = people.meet([sender(1)], now=NOW)[1]
    user.take({"language": Language.RU, "updated_at": LATER})
    people.forget(1)
    people.forget(2)
    fresh = people.meet([sender(1)], now=LATER)[1]
    assert fresh is not user and fresh.language is Language.EN


def test_a_rolled_back_batch_leaves_no_ghost(database: Database) -> None:
    """A person whose first batch was rolled back gets the number of the row written later."""
    people = People(frozenset(), "en")
    with database.atomic() as transaction:
        user = people.meet([sender(1)], now=NOW)[1]
        transaction.rollback()
    User.create(telegram_id=9, first_name="X")
    User.create(telegram_id=8, first_name="Y")
    people.meet([sender(1)], now=LATER)
    assert user.id == User.get(User.telegram_id == 1).id
    assert AnalyticsEvent.get().user_id == user.id


def test_memory_is_bounded(database: Database) -> None:
    """The people met longest ago are forgotten first, and are met again from their rows."""
    people = People(frozenset(), "en", size=2)
    first = people.meet([sender(1)], now=NOW)[1]
    people.meet([sender(2)], now=NOW)
    people.meet([sender(1)], now=NOW)
    people.meet([sender(3)], now=NOW)
    assert people.get(1) is first and people.get(2) is None and people.get(3) is not None
    assert people.meet([sender(2)], now=LATER)[2].telegram_id == 2


def test_the_fast_way_reads_every_column() -> None:
    """The columns that are read without Peewee are those of the model, times included."""
    fields = User._meta.sorted_fields
    assert ", ".join(field.column_name for field in fields) == COLUMNS
    assert tuple(field.name for field in fields) == FIELDS
    times = [field.name for field in fields if isinstance(field, peewee.DateTimeField)]
    assert tuple(times) == TIMES
