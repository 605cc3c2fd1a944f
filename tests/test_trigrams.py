"""The table that people are found in: right after each write, without a trace of the erased."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import trigrams
from database import Database
from models import User
from services import privacy, search
from tests.plans import statements


def found(term: str) -> list[int]:
    """The Telegram ids of whom a search finds."""
    people = User.select().where(search.condition(term)).order_by(User.telegram_id)
    return [user.telegram_id for user in people]


def make(telegram_id: int, first: str, **more: str) -> User:
    """A person."""
    user: User = User.create(telegram_id=telegram_id, first_name=first, **more)
    return user


def test_names_are_found_as_they_are_now(database: Database) -> None:
    """A new name is found and an old one is not; a person who is deleted is not found."""
    person = make(1, "Wilhelmina", username="mina_w")
    make(2, "Ada")
    assert found("helm") == found("@mina") == [1]
    User.update(first_name="Ottilie", username=None).where(User.id == person.id).execute()
    assert found("helm") == found("mina") == [] and found("ottil") == [1]
    User.delete().where(User.id == person.id).execute()
    assert found("ottil") == [] and found("ada") == [2]


def test_letters_of_any_alphabet_in_any_case(database: Database) -> None:
    """The case of letters does not matter, beyond ASCII too."""
    make(1, "Пётр", last_name="Øyvind")
    assert found("ПЁТ") == found("пёт") == found("øYVI") == [1]


def test_people_who_were_there_before_are_found(database: Database) -> None:
    """When the table is made, everybody's names are written into it."""
    trigrams.lift(database)
    make(1, "Wilhelmina")
    trigrams.lay(database)
    trigrams.lay(database)
    assert found("helm") == [1]


def test_counting_a_message_writes_no_name(database: Database) -> None:
    """The table is written when a name changes, and not when a row is written as it was."""
    person = make(1, "Ada", username="ada")
    database.execute_sql("DELETE FROM users_search")
    User.update(total_messages=1, first_name="Ada").where(User.id == person.id).execute()
    assert database.execute_sql("SELECT COUNT(*) FROM users_search").fetchone() == (0,)
    if database.param == "%s":
        User.update(username="ada_1").where(User.id == person.id).execute()
        assert found("ada_1") == [1]


def test_the_index_keeps_nothing_of_the_erased(database: Database) -> None:
    """The parts of a name are gone from the file's tables, and not just marked as deleted."""
    make(7, "Qzxwvj", username="kyxqzj")
    make(8, "Ada")
    assert b"qzx" in raw(database)
    privacy.erase(7, {})
    assert b"qzx" not in raw(database) and b"yxq" not in raw(database)
    assert found("ada") == [8]


def test_without_forgetting_the_index_keeps_a_name(database: Database) -> None:
    """The control: a row that is only deleted leaves its trigrams on SQLite."""
    make(7, "Qzxwvj")
    make(8, "Ada")
    User.delete().where(User.telegram_id == 7).execute()
    assert (b"qzx" in raw(database)) == (database.param == "?")


def raw(database: Database) -> bytes:
    """All that the tables of the search hold."""
    if database.param == "%s":
        rows = database.execute_sql("SELECT text FROM users_search").fetchall()
        return "\n".join(text for (text,) in rows).encode()
    tables = ("users_search_data", "users_search_content", "users_search_idx")
    found = [database.execute_sql(f"SELECT * FROM {table}").fetchall() for table in tables]
    values = [value for rows in found for row in rows for value in row]
    return b"\n".join(v if isinstance(v, bytes) else str(v).lower().encode() for v in values)


@pytest.fixture
def plain(database: Database) -> Iterator[Database]:
    """PostgreSQL where the extension cannot be made."""
    if database.param == "%s":
        trigrams.lift(database)
        trigrams.lay(database, extension="no_such_extension")
        trigrams.finds_parts.cache_clear()
    yield database
    if database.param == "%s":
        trigrams.lift(database)
        trigrams.lay(database)
        trigrams.finds_parts.cache_clear()


def test_without_the_extension_words_are_found_by_their_beginning(plain: Database) -> None:
    """Every name, and every word of one, is found by how it begins, in any case, by an index."""
    make(1, "Anna Maria", last_name="O'Neill", username="river_song84")
    make(2, "Bob")
    for term in ("ann", "mari", "O'NEI", "river", "river_so", "anna river", "@river"):
        assert found(term) == [1], term
    for term in ("'", "\\", "&", "!", ":*", "bob anna"):
        assert found(term) == [], term
    if plain.param == "%s":
        with statements() as run:
            found("ann")
        plain.execute_sql("SET enable_seqscan = off")
        plan = str(plain.execute_sql("EXPLAIN " + run[-1][0], run[-1][1]).fetchall())
        plain.execute_sql("RESET enable_seqscan")
        assert trigrams.INDEX in plan
