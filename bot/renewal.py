"""The renewal: on SIGHUP the plugins are tried, and the process begins anew when they pass."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from threading import Event

from bot.lines import mask
from bot.process import Process
from bot.reload import refuse
from bot.trial import rehearse_all
from services import reloads

log = logging.getLogger(__name__)

LONGEST = 3500
"""How much of what was said the owners are told."""


class Renewal:
    """Calls `restart` of a process that was asked to reload, after a trial that passes."""

    def __init__(
        self,
        process: Process,
        *,
        trial: Callable[[Event], str | None] = rehearse_all,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._process = process
        self._trial = trial
        self._clock = clock
        self._told = ""

    def step(self, _at: float) -> None:
        """See to a reload that is wanted; one that is wanted meanwhile is the next step's."""
        process = self._process
        if not process.reload_wanted:
            return
        process.reload_wanted, begun = False, self._clock()
        log.info("reload_begins")
        said = self._trial(process.stop)
        if process.stop.is_set():
            return
        if said is not None:
            self._refuse(begun, mask(said))
        elif not process.reload_wanted:  # else the plugins may have changed since
            process.restart()

    def _refuse(self, begun: float, said: str) -> None:
        """Say why in the log, to who asked, and to the owners, but not the same to them twice."""
        refuse(said)
        for seat in self._process.core.seats:
            reloads.refuse(seat.lease.name, seat.lease.owner, begun, said)
        if said != self._told:
            self._told = said
            self._process.core.notify(
                f"The plugins were not reloaded, the bot goes on as it was.\n\n{said[:LONGEST]}"
            )
