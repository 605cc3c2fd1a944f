"""Arrays: PostgreSQL reads them as the values that they were made of."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot import codec
from database import Database, db
from services.arrays import SEPARATOR, documents, numbers, texts
from tests.conftest import HAS_POSTGRES

pytestmark = pytest.mark.parametrize(
    "database_url", ["postgres"] if HAS_POSTGRES else [], indirect=True
)
NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.none()
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
DATA = st.recursive(TEXTS | st.integers(0, 9), lambda inner: st.dictionaries(TEXTS, inner))


def test_numbers_and_what_is_missing(database: Database) -> None:
    """Any integer that a column holds, none, and nothing at all."""

    @settings(max_examples=100)
    @given(st.lists(NUMBERS))
    def check(values: list[int | None]) -> None:
        [(read,)] = db.execute_sql("SELECT %s::bigint[]", (numbers(values),)).fetchall()
        assert read == values

    check()


def test_texts_whatever_is_in_them(database: Database) -> None:
    """Quotes, braces, commas, backslashes, NULL as a word, nothing."""

    @settings(max_examples=200)
    @given(st.lists(TEXTS | st.sampled_from(["", "NULL", "null", "{}", '"', "\\", ",", "'", " "])))
    def check(values: list[str]) -> None:
        [(read,)] = db.execute_sql("SELECT %s::text[]", (texts(values),)).fetchall()
        assert read == values

    check()


@pytest.mark.parametrize("write", [codec.dumps, json.dumps])
def test_documents_are_split_again(database: Database, write: object) -> None:
    """Whatever they say, the separator included, and whoever wrote them."""
    assert callable(write)

    @settings(max_examples=100)
    @given(st.lists(DATA | st.just(SEPARATOR), min_size=1))
    def check(values: list[object]) -> None:
        written = [str(write(value)) for value in values]
        [(read,)] = db.execute_sql(
            "SELECT string_to_array(%s, %s)", (documents(written), SEPARATOR)
        ).fetchall()
        assert read == written

    check()
