"""Where gunicorn finds the panel."""

from __future__ import annotations

from flask import Flask

from admin.app import create_app
from admin.panel import Panel
from bot.loader import load
from database import bind, open_database
from settings import Settings
from settings import load as load_settings


def open_app(settings: Settings) -> Flask:
    """The application on its database, with the plugins loaded for what they declare."""
    bind(
        open_database(
            settings.database_url.reveal(),
            pool=settings.admin_threads,
            overflow=settings.admin_threads,
        )
    )
    registry = load(settings.plugins_path)
    panel = Panel(settings, registry)
    registry.bind(panel.switches.on, panel.preferences.get)
    return create_app(panel)


app = open_app(load_settings())
