"""What `python -m bot panel` does: it becomes gunicorn, which serves the panel."""

from __future__ import annotations

import os
import sys
from typing import NoReturn
from urllib.parse import urlsplit

from settings import Settings, SettingsError

GUNICORN = ("-m", "gunicorn", "-c", "python:admin.gunicorn", "admin.wsgi:app")


def serve(settings: Settings) -> NoReturn:
    """Become gunicorn. Raises SettingsError for what a person must mend first."""
    check(settings)
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, *GUNICORN])


def check(settings: Settings) -> None:
    """Raise SettingsError when in production nobody said by which names the panel is called."""
    named = settings.trusted_hosts or urlsplit(settings.admin_url).hostname != "localhost"
    if not settings.development and not named:
        raise SettingsError(
            "TRUSTED_HOSTS is required for the panel when ENVIRONMENT=production: set the names"
            " by which browsers reach it, such as bot.example.org, or its address in ADMIN_URL."
        )
