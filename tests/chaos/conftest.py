"""What the tests of several processes share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from database import Database, bind, open_database
from tests.chaos.city import City


@pytest.fixture
def city_database(empty_database_url: str) -> Iterator[Database]:
    """An open database whose tables the city makes by migrating."""
    database = bind(open_database(empty_database_url))
    yield database
    database.close_all()


@pytest.fixture
def city(city_database: Database, empty_database_url: str, tmp_path: Path) -> Iterator[City]:
    """A city on each engine."""
    city = City(tmp_path, empty_database_url)
    city.migrate()
    yield city
    city.close()
