"""Whether the tables are those of this release: looked at before a process begins to work."""

from __future__ import annotations

import logging
from collections.abc import Callable
from time import sleep
from typing import TypeVar

from bot.loader import sources
from bot.registry import Registry
from database import Database
from outages import is_outage
from services import migrations
from settings import SettingsError

T = TypeVar("T")

log = logging.getLogger(__name__)


def refuse_pending(database: Database, registry: Registry) -> None:
    """Refuse to run on tables of another release; waits while the database is away.

    Raises SettingsError when migrations are pending.
    """
    if names := pending(database, registry):
        raise SettingsError(
            f"{len(names)} migrations are pending ({', '.join(names[:3])}):"
            " run `python -m bot migrate` first"
        )


def pending(database: Database, registry: Registry) -> list[str]:
    """The migrations that were not run yet; waits while the database is away."""
    return wait_for(database, lambda: migrations.pending(database, sources(registry)))


def wait_for(database: Database, ask: Callable[[], T]) -> T:
    """Ask the database something, again and again while it is away."""
    while True:
        try:
            with database.connection_context():
                return ask()
        except Exception as error:
            if not is_outage(error):
                raise
            log.warning("waiting for the database: %s", error)
            sleep(1.0)
