"""What `python -m bot doctor` does: looks at everything that can be reached, and gives advice."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from bot import machine, reach, stores
from bot.loader import collect
from bot.probes import Finding, Probe, Tone, run
from database import Database, bind, now, open_database
from settings import Settings

SECONDS = 10.0
"""How long all looks together may take."""


def examine(settings: Settings, *, seconds: float = SECONDS) -> int:
    """Print what was found; 1 when something is wrong."""
    database = bind(open_database(settings.database_url.reveal()))
    try:
        found = run(probes(settings), seconds=seconds)
    finally:
        _close(database)
    return tell(found)


def probes(settings: Settings) -> Mapping[str, Probe]:
    """Every look by its name."""
    looks: dict[str, Probe] = {
        "versions": machine.versions,
        "libraries": machine.libraries,
        "disk": partial(machine.disk, settings),
        "ports": partial(machine.ports, settings),
        "backup": partial(machine.last_backup, settings, now()),
        "database": partial(stores.database, settings, now()),
        "redis": partial(stores.cache, settings),
        "telegram": partial(reach.telegram, settings),
        "time": partial(reach.clock, settings),
        "other poller": partial(reach.others, settings),
    }
    path = settings.database_file
    if path is None or path.is_file():  # a look makes no file
        looks |= {
            "migrations": partial(stores.migrations, collect(settings.plugins_path)),
            "database time": partial(stores.clock, now),
            "inbox": partial(stores.inbox, now()),
            "poller": partial(stores.pollers, settings, now()),
        }
    return looks


def tell(found: Mapping[str, list[Finding]]) -> int:
    """Print the findings, a line each; 1 when one is bad."""
    lines = [(each.tone, name, each.said) for name, said in found.items() for each in said]
    for tone, name, said in lines:
        print(f"{tone:<6} {name:<14} {said}")
    wrong = sum(tone is Tone.BAD for tone, *_ in lines)
    print(f"{wrong} to mend." if wrong else "Nothing is wrong.")
    return 1 if wrong else 0


def _close(database: Database) -> None:
    """Close what is not in use: a probe that hangs keeps its connection."""
    database.close_idle()
