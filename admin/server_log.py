"""gunicorn's own lines, in the form of all others."""

from __future__ import annotations

from typing import Any

from gunicorn.glogging import Logger

from bot.logs import Logs, setup
from settings import Settings

_INVALID = "Invalid request from ip="
_BROKEN = "Error handling request"


class ServerLog(Logger):  # type: ignore[misc]
    """Hands what gunicorn says to the root's handlers; what a visitor sent is left out of it."""

    def setup(self, cfg: Any) -> None:
        """Set up anew, also after a HUP, without handlers of its own."""
        super().setup(cfg)
        self.error_log.handlers[:] = []
        self.error_log.propagate = True

    def warning(self, msg: str, *args: Any, **kwargs: Any) -> None:
        """Say of a request that cannot be read only where it came from."""
        said = msg.partition(": ")[0] if msg.startswith(_INVALID) else msg
        super().warning(said, *args, **kwargs)

    def exception(self, msg: str, *args: Any, **kwargs: Any) -> None:
        """Say of a request that broke off not which address it had: a link may be a secret."""
        if msg.startswith(_BROKEN):
            msg, args = _BROKEN, ()
        super().exception(msg, *args, **kwargs)


def start_log(settings: Settings) -> Logs:
    """Log in this process: a fork has the queue of its parent, and nobody who empties it."""
    return setup(settings.log_level, settings.log_format, app="panel")
