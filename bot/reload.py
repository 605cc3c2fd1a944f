"""Watch the plugin folders of a developing bot and begin anew when a change passes its check."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from bot.trial import rehearse

log = logging.getLogger(__name__)

EVERY = 0.1
"""Seconds from one look to the next."""
SETTLED = 0.0625
"""Seconds without a further change before a change is tried: an editor may save in steps."""
SUFFIXES = (".py", ".po", ".mo")

Snapshot = dict[str, tuple[int, int]]


class Watcher:
    """Calls `restart` once the plugin files have changed and the bot can be started with them.

    `seen` is the snapshot that was made before the plugins were loaded.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        seen: Snapshot,
        *,
        restart: Callable[[], None],
        trial: Callable[[], str | None] = rehearse,
    ) -> None:
        self._folders = folders
        self._restart = restart
        self._trial = trial
        self._seen = self._tried = seen
        self._changed_at = 0.0

    def start(self) -> threading.Thread:
        """Watch in a thread until the restart."""
        thread = threading.Thread(target=self.watch, name="reload", daemon=True)
        thread.start()
        return thread

    def watch(
        self,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Look again and again until the restart."""
        while not self.step(clock()):
            sleep(EVERY)

    def step(self, now: float) -> bool:
        """Look once at the monotonic time `now`; True when `restart` was called."""
        found = snapshot(self._folders)
        if found != self._seen:
            self._seen, self._changed_at = found, now
        if found == self._tried or now - self._changed_at < SETTLED:
            return False
        changed = sorted(name for name, _ in found.items() ^ self._tried.items())
        self._tried = found
        return self._try(changed)

    def _try(self, changed: Sequence[str]) -> bool:
        """Begin anew when the plugins pass their trial."""
        try:
            said = self._trial()
        except OSError as error:
            said = f"the trial could not be begun: {error}"
        if said is not None:
            refuse(said, files=_names(changed))
            return False
        log.info("plugins_changed", extra={"files": _names(changed)})
        self._restart()
        return True


def refuse(said: str, **facts: str) -> None:
    """Log why the bot stays as it is."""
    log.error("plugins_not_reloaded", extra=facts)
    for line in said.splitlines():
        log.error("%s", line)


def snapshot(folders: Sequence[Path]) -> Snapshot:
    """When each file that matters was changed, in nanoseconds, and its size in bytes."""
    return {path: mark for folder in folders for path, mark in _scan(str(folder))}


def _scan(folder: str) -> Iterator[tuple[str, tuple[int, int]]]:
    try:
        with os.scandir(folder) as found:
            entries = list(found)
    except OSError:
        return
    for entry in entries:
        if entry.name.startswith((".", "__pycache__")):
            continue
        if entry.is_dir():
            yield from _scan(entry.path)
        elif entry.name.endswith(SUFFIXES) and (mark := _mark(entry)):
            yield entry.path, mark


def _mark(entry: os.DirEntry[str]) -> tuple[int, int] | None:
    try:
        state = entry.stat()
    except OSError:  # deleted since it was listed
        return None
    return state.st_mtime_ns, state.st_size


def _names(paths: Sequence[str]) -> str:
    return ", ".join(sorted({Path(path).name for path in paths}))
