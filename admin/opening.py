"""Opens the panel on its database: to serve it, or only to see whether that would work."""

from __future__ import annotations

from admin.app import create_app
from admin.panel import Panel
from bot.loader import load
from bot.serve import check
from bot.tables import refuse_pending
from bot.trial import PASSED, guard
from database import bind, current, open_database
from settings import Settings


def open_panel(settings: Settings) -> Panel:
    """What the pages work with, with the plugins loaded for what they declare.

    Each thread has a connection at a time; as many more are for what holds one longer.
    """
    threads = settings.admin_threads
    bind(open_database(settings.database_url.reveal(), pool=threads, overflow=threads))
    registry = load(settings.plugins_path)
    panel = Panel(settings, registry)
    registry.bind(panel.switches.on, panel.preferences.get)
    return panel


def rehearse(settings: Settings) -> int:
    """Put the panel together and look at the tables, but answer nobody; PASSED when that works.

    Raises SettingsError for what a person must mend first.
    """
    guard()
    check(settings)
    panel = open_panel(settings)
    create_app(panel)
    refuse_pending(current(), panel.registry)
    current().close_all()
    return PASSED
