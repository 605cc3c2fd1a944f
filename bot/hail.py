"""What `python -m bot reload` does: asks the process that runs the bots, and says how it ended."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Sequence

from bot.lease import is_dead, pid_of
from bot.opened import opened
from models import Lease
from services import reloads
from settings import Settings, SettingsError

LONGEST = 120.0
"""Seconds for the trial, the running handlers and the start."""
LOOK = 0.05

Holders = dict[str, tuple[str, int]]
"""By the name of the lease its owner and its fence."""


class Refused(Exception):
    """The reload did not come about; one sentence or more."""


def reload(settings: Settings) -> int:
    """Reload the processes that run the bots of the settings; give the exit code."""
    names = [f"poller:{token.reveal().partition(':')[0]}" for token in settings.bots]
    begun = time.monotonic()
    try:
        with opened(settings) as database, database.connection_context():
            before = holders(names)
            call(before)
            wait(before, begun)
    except (Refused, SettingsError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"Reloaded in {time.monotonic() - begun:.1f} s.")
    return 0


def holders(names: Sequence[str]) -> Holders:
    """Who holds the leases of these names."""
    rows = Lease.select().where(Lease.name.in_(names), Lease.owner != "")
    return {row.name: (row.owner, row.fence) for row in rows}


def call(found: Holders) -> None:
    """Ask every holder to reload, or none. Raises Refused when one cannot be asked."""
    owners = sorted({owner for owner, _ in found.values() if not is_dead(owner)})
    if not owners:
        raise Refused("No process runs this bot: start it with `python -m bot run`.")
    if far := next((owner for owner in owners if not pid_of(owner)), None):
        raise Refused(elsewhere(far))
    for owner in owners:
        hail(owner)


def elsewhere(owner: str) -> str:
    """Where to go instead."""
    host, _, pid = (owner.split("/") + [""] * 3)[:3]
    return (
        f"The bot is run by process {pid} on {host}, which cannot be reached from here: run"
        " `python -m bot reload` there, in the same container, or send that process a SIGHUP."
    )


def hail(owner: str) -> None:
    """Send a SIGHUP to the very process: its pid may be another's by now. Raises Refused."""
    pid = pid_of(owner)
    try:
        handle = os.pidfd_open(pid)
        try:
            if is_dead(owner):
                raise ProcessLookupError
            signal.pidfd_send_signal(handle, signal.SIGHUP)
        finally:
            os.close(handle)
    except ProcessLookupError:
        raise Refused("The process that ran this bot has just ended: see its log.") from None
    except OSError as error:
        raise Refused(
            f"Process {pid}, which runs the bot, cannot be signalled ({error.strerror}): run this"
            " as the user that it runs as."
        ) from None


def wait(before: Holders, begun: float, *, longest: float = LONGEST) -> None:
    """Wait until every lease has gone over to the renewed process. Raises Refused."""
    while time.monotonic() < begun + longest:
        now = holders(list(before))
        if all(look(name, *before[name], now.get(name), begun) for name in before):
            return
        time.sleep(LOOK)
    raise Refused(f"The bot has not reloaded within {longest:.0f} s: its log says why.")


def look(name: str, owner: str, fence: int, now: tuple[str, int] | None, begun: float) -> bool:
    """Whether a lease has gone over. Raises Refused when it will not."""
    if now is not None and now[0] == owner and now[1] > fence:
        return True
    if said := reloads.refusal(name, owner, begun):
        raise Refused(f"Not reloaded, the bot goes on as it was:\n{said}")
    if is_dead(owner):
        raise Refused("The process that ran this bot has ended: see its log.")
    if now is None or now[0] != owner:
        raise Refused("Another process took this bot over meanwhile: reload that one.")
    return False
