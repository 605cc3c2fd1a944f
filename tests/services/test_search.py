"""Which people a search means."""

from __future__ import annotations

import pytest

from database import Database
from models import User
from services import search

PEOPLE = [
    (100200300, "Ada", "Lovelace", "countess"),
    (100200301, "Boris", None, "ada_fan"),
    (7, "100200300", None, None),
    (8, "50% off_now", "O'Neil", "Xy"),
]


@pytest.fixture(autouse=True)
def people(database: Database) -> None:
    """Some people."""
    for telegram_id, first, last, username in PEOPLE:
        User.create(telegram_id=telegram_id, first_name=first, last_name=last, username=username)


@pytest.mark.parametrize(
    ("term", "found"),
    [
        ("lovel", [100200300]),
        ("VELA", [100200300]),
        ("ada", [100200300, 100200301]),
        ("@ada", [100200301]),
        ("@Countess", [100200300]),
        ("ada lovelace", [100200300]),
        ("lovelace ada", [100200300]),
        ("ada neil", []),
        ("100200300", [7, 100200300]),
        ("100200", [7]),
        ("7", [7]),
        ("xy", [8]),
        ("y", []),
        ("0%", []),
        ("50%", [8]),
        ("f_n", [8]),
        ("f-n", []),
        ("'", []),
        ("o'n", [8]),
        ("@", []),
        ("9" * 30, []),
        ("9223372036854775808", []),
        ("٧", []),
        (" ", [7, 8, 100200300, 100200301]),
    ],
)
def test_a_term_finds_whom_it_means(term: str, found: list[int]) -> None:
    """Three letters anywhere, fewer at the beginning; an id is exact; signs mean themselves."""
    rows = User.select().where(search.condition(term)).order_by(User.telegram_id)
    assert [row.telegram_id for row in rows] == found


@pytest.mark.parametrize(
    ("who", "found"),
    [("7", 7), ("@XY", 8), ("Countess", 100200300), ("nobody", None), ("", None), ("@", None)],
)
def test_one_person_is_named_by_id_or_username(who: str, found: int | None) -> None:
    """Exactly, in any case of the letters."""
    rows = User.select().where(User.id == search.id_of(who))
    assert [row.telegram_id for row in rows] == ([found] if found else [])
