"""What the pages of the panel work with: settings, plugins, switches and the clock."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from bot.registry import Registry
from bot.wire import Wire
from database import now
from services.plugins import Preferences, Switches
from settings import Settings

FRESH = 1.0
"""Seconds for which switches and settings are not read again."""


@dataclass(slots=True)
class Panel:
    """One of these is given to every page; nothing of it belongs to one request."""

    settings: Settings
    registry: Registry
    switches: Switches = field(default_factory=Switches)
    preferences: Preferences = field(default_factory=Preferences)
    wire: Wire | None = None
    """What carries calls to Telegram; None: the network."""
    clock: Callable[[], datetime] = now
    ticks: Callable[[], float] = time.monotonic
    api_rate: int = 120
    """Requests that a token of the API makes in a minute."""
    _read_at: float = float("-inf")
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def refresh(self) -> None:
        """Read switches and settings again, when that was not done a moment ago."""
        with self._lock:
            if self.ticks() - self._read_at < FRESH:
                return
            self._read_at = self.ticks()
        self.switches.refresh()
        self.preferences.refresh()
