"""What the tests of whole processes share: a town, and a city of several processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from database import Database, bind, open_database
from tests.chaos.city import City
from tests.chaos.town import Town


@pytest.fixture
def town_database(empty_database_url: str) -> Iterator[Database]:
    """An open database whose tables the town makes."""
    database = bind(open_database(empty_database_url))
    yield database
    database.close_all()


@pytest.fixture
def bare_town(town_database: Database, empty_database_url: str, tmp_path: Path) -> Iterator[Town]:
    """A town without tables."""
    town = Town(tmp_path, empty_database_url)
    yield town
    town.close()


@pytest.fixture
def town(bare_town: Town, town_database: Database) -> Town:
    """A town with its tables."""
    bare_town.make_tables(town_database)
    return bare_town


@pytest.fixture
def city_database(town_database: Database) -> Database:
    """An open database whose tables the city makes."""
    return town_database


@pytest.fixture
def city(city_database: Database, empty_database_url: str, tmp_path: Path) -> Iterator[City]:
    """A city on each engine."""
    city = City(tmp_path, empty_database_url)
    city.make_tables(city_database)
    yield city
    city.close()
