"""Passwords: which are good enough, and how they are kept."""

from __future__ import annotations

import pytest
from argon2 import PasswordHasher, extract_parameters

from database import Database
from services import admins, passwords
from staff import Admin, StaffRole

GOOD = "three small words"


@pytest.mark.parametrize(
    "password",
    [
        "short",
        "eleven char",
        "password1234",
        "PASSWORD1234",
        "!!password!!",
        "aaaaaaaaaaaaaaaa",
        "123456789012",
        "steadygram123",
        "ada.lovelace1",
        "x" * 257,
        " " * 20,
    ],
)
def test_a_weak_password_is_refused_in_one_sentence(password: str) -> None:
    """Short, common, hardly more than a name or a number, or without an end."""
    said = passwords.weakness(password, words=("ada.lovelace", "steadygram"))
    assert said and said.endswith(".") and password not in said


@pytest.mark.parametrize(
    "password", [GOOD, "кошка на крыше", "🔑" * 3 + "correct horse", "aB3$x!q9" * 32]
)
def test_any_other_password_will_do(password: str) -> None:
    """Of any letters, up to 256, without rules of what is to be in it; all of it counts."""
    assert passwords.weakness(password) is None
    kept = passwords.keep(password)
    assert passwords.fits(password, kept)
    for other in (password[:-1], password + "x", password.swapcase() + "x", ""):
        assert not passwords.fits(other, kept)


def test_the_hash_is_as_strong_as_is_advised() -> None:
    """Argon2id with 19 MiB and two passes; so is the one that stands for nobody."""
    for kept in (passwords.keep(GOOD), passwords.NOBODY):
        found = extract_parameters(kept)
        assert (found.type.name, found.memory_cost, found.time_cost) == ("ID", 19 * 1024, 2)
        assert not passwords.is_dated(kept)


@pytest.mark.parametrize("kept", [None, "", "plain text", "$argon2id$broken"])
def test_nothing_fits_where_there_is_no_hash(kept: str | None) -> None:
    """Not even an empty password."""
    assert not passwords.fits("", kept) and not passwords.fits(GOOD, kept)


def test_a_weaker_hash_is_replaced_at_the_sign_in(database: Database) -> None:
    """Whoever signs in with a password that was kept the old way has it kept today's way."""
    weak = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(GOOD)
    with database.connection_context():
        Admin.create(name="ada", role=StaffRole.VIEWER, password=weak)
        assert admins.check("ada", "wrong wrong wrong") is None
        assert Admin.get().password == weak
        found = admins.check("Ada", GOOD)
        assert found and not passwords.is_dated(found.password or "")
        assert Admin.get().password == found.password != weak
